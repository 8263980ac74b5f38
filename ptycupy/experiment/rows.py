"""Sparse matrices by rows that act along one axis: detector crop, resampling, blurs and area pooling."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ptycupy.data.resample import linear_taps, resampled_length
from ptycupy.errors import ConfigError

Boundary = Literal["reflect", "replicate"]
Float = NDArray[np.float64]


@dataclass(frozen=True)
class RowMatrix:
    """out[i] = sum_t weights[i, t] values[indices[i, t]]; unused taps have weight 0 and an index that is valid."""

    indices: NDArray[np.int32]  # [k, taps]
    weights: Float  # [k, taps]
    columns: int  # length of the axis that the matrix acts on

    @property
    def shape(self) -> tuple[int, int]:
        return self.indices.shape[0], self.columns

    def transpose(self) -> RowMatrix:
        rows = np.repeat(np.arange(self.shape[0]), self.indices.shape[1])
        return from_entries(self.indices.ravel(), rows, self.weights.ravel(), self.shape[::-1])

    def toarray(self) -> Float:
        """The dense matrix [k, columns]."""
        dense = np.zeros(self.shape)
        rows = np.repeat(np.arange(self.shape[0]), self.indices.shape[1])
        np.add.at(dense, (rows, self.indices.ravel()), self.weights.ravel())
        return dense

    def __matmul__(self, other: RowMatrix) -> RowMatrix:
        """The matrix that applies `other` first, then this one."""
        if self.columns != other.shape[0]:
            raise ValueError(f"cannot multiply row matrices of shapes {self.shape} and {other.shape}")
        columns = other.indices[self.indices]  # [k, taps, taps of other]
        weights = other.weights[self.indices] * self.weights[..., None]
        rows = np.repeat(np.arange(self.shape[0]), columns.shape[1] * columns.shape[2])
        return from_entries(rows, columns.ravel(), weights.ravel(), (self.shape[0], other.columns))


def from_entries(rows: NDArray[Any], columns: NDArray[Any], weights: NDArray[Any], shape: tuple[int, int]) -> RowMatrix:
    """The row matrix of `shape` with these entries; entries at the same place add up and zeros vanish."""
    used = weights != 0
    keys, place = np.unique(rows[used].astype(np.int64) * shape[1] + columns[used], return_inverse=True)
    values = np.bincount(place.ravel(), weights=weights[used], minlength=keys.size)
    row, column = np.divmod(keys, shape[1])
    counts = np.bincount(row, minlength=shape[0])
    starts = np.cumsum(counts) - counts
    tap = np.arange(keys.size) - starts[row]
    # An unused tap repeats its row's first index, so that a non-finite value elsewhere cannot leak in through 0 * NaN.
    first = np.zeros(shape[0], np.int32)
    first[counts > 0] = column[starts[counts > 0]]
    taps = max(1, int(counts.max(initial=0)))
    indices = np.repeat(first[:, None], taps, axis=1)
    table = np.zeros((shape[0], taps))
    indices[row, tap] = column
    table[row, tap] = values
    return RowMatrix(indices, table, shape[1])


def detector_matrix(window: int, detector: int, match: Literal["crop", "resample"], blur: float) -> RowMatrix | None:
    """One axis of the map from a simulated window's intensity to the detector, None where that is the identity.

    Both sides have zero frequency in the corner: `window` simulated values in, `detector` values out. `crop` keeps the
    central pixels; `resample` interpolates linearly over the same extent (pixel edges aligned, no antialiasing) and
    divides by detector/window, which conserves the sum. `blur` is a Gaussian's standard deviation in detector px.
    Raises ConfigError where the window is smaller than a cropped detector.
    """
    matrix: RowMatrix | None = None
    if window != detector:
        matrix = _crop(window, detector) if match == "crop" else _resample(window, detector)
    if blur > 0:
        gaussian = blur_matrix(detector, blur, max(5, 2 * round(3 * blur) + 1), "reflect")
        matrix = gaussian if matrix is None else gaussian @ matrix
    return None if matrix is None else _corner_ordered(matrix)


def pattern_matrix(n: int, factor: float) -> RowMatrix | None:
    """One axis of measured patterns resampled to floor(n factor) pixels, None where that changes nothing.

    Both sides have zero frequency in the corner. Interpolates linearly over the same extent, pixel edges aligned, and
    divides by the factor, which preserves the sum. Raises ConfigError where nothing is left.
    """
    return None if factor == 1 else _corner_ordered(_interpolation(n, resampled_length(n, factor), 1 / factor))


def blur_matrix(n: int, std: float, kernel_size: int, boundary: Boundary = "reflect") -> RowMatrix:
    """Gaussian blur [n, n] with a sampled, normalised kernel of `kernel_size` taps and standard deviation `std` px.

    `reflect` mirrors at the centre of the edge pixel, again and again where n is smaller than the kernel;
    `replicate` repeats the edge pixel. An even kernel reaches one pixel further towards the end.
    """
    if n < 1 or kernel_size < 1:
        raise ConfigError(f"a blur needs a positive length and kernel size, got {n} px and {kernel_size} taps")
    taps = np.arange(kernel_size) - (kernel_size - 1) / 2
    kernel = np.exp(-0.5 * (taps / std) ** 2) if std > 0 else (np.abs(taps) < 0.75).astype(float)
    kernel /= kernel.sum()
    source = np.arange(n)[:, None] + np.arange(kernel_size) - (kernel_size - 1) // 2
    source = np.clip(source, 0, n - 1) if boundary == "replicate" else _reflect(source, n)
    rows = np.repeat(np.arange(n), kernel_size)
    return from_entries(rows, source.ravel(), np.tile(kernel, n), (n, n))


def area_matrix(n: int, scale: float) -> RowMatrix:
    """Adaptive average pooling of n values to floor(n * scale): each output is the mean of the inputs it touches."""
    size = math.floor(n * scale)
    if size < 1:
        raise ConfigError(f"a scale of {scale:g} leaves nothing of {n} px; it must be at least {1 / n:.3g}")
    out = np.arange(size)
    starts, stops = out * n // size, -(-(out + 1) * n // size)
    counts = stops - starts
    rows = np.repeat(out, counts)
    columns = np.arange(rows.size) - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(starts, counts)
    return from_entries(rows, columns, 1 / np.repeat(counts, counts), (size, n))


def diffusion_matrix(n: int, weight: float) -> RowMatrix:
    """x - weight L x [n, n], L the second difference that ends at the edges: a step down 1/2 sum (dx)^2."""
    i = np.arange(n - 1)
    rows = np.concatenate([np.arange(n), i, i, i + 1, i + 1])
    columns = np.concatenate([np.arange(n), i, i + 1, i + 1, i])
    change = np.repeat([-weight, weight, -weight, weight], n - 1)
    return from_entries(rows, columns, np.concatenate([np.ones(n), change]), (n, n))


def harmonic_matrix(n: int) -> tuple[RowMatrix, Float]:
    """An orthonormal real Fourier basis [n, n], and the frequency of each row in cycles per sample.

    The mean, then a cosine and a sine of every frequency: a filter that depends on |frequency| is diagonal in it.
    """
    order = (np.arange(n) + 1) // 2
    angle = 2 * np.pi * order[:, None] * np.arange(n) / n
    basis = np.where(np.arange(n)[:, None] % 2 == 0, np.sin(angle), np.cos(angle))
    basis[0] = 1
    basis /= np.linalg.norm(basis, axis=1, keepdims=True)
    columns = np.tile(np.arange(n, dtype=np.int32), (n, 1))
    return RowMatrix(columns, basis, n), order / n


def _reflect(index: NDArray[Any], n: int) -> NDArray[Any]:
    period = max(1, 2 * (n - 1))
    folded = index % period
    return np.minimum(folded, period - folded) if n > 1 else np.zeros_like(index)


def _crop(window: int, detector: int) -> RowMatrix:
    if window < detector:
        raise ConfigError(
            f"model.window_shape: {window} px cannot be cropped to a detector of {detector} px; "
            "take a window at least as large, or model.detector_match: resample"
        )
    # The beam sits at n // 2 before and after the crop, whatever the parities are.
    rows = np.arange(detector)
    return from_entries(rows, rows + window // 2 - detector // 2, np.ones(detector), (detector, window))


def _resample(window: int, detector: int) -> RowMatrix:
    return _interpolation(window, detector, window / detector)


def _interpolation(n: int, size: int, step: float) -> RowMatrix:
    taps = linear_taps(n, size, step)
    weights = np.concatenate([1 - taps.fraction, taps.fraction]) * step
    return from_entries(np.tile(np.arange(size), 2), np.concatenate([taps.low, taps.high]), weights, (size, n))


def _corner_ordered(matrix: RowMatrix) -> RowMatrix:
    """The same map between axes whose zero frequency is moved from the centre to the corner."""
    k, n = matrix.shape
    order = (np.arange(k) + k // 2) % k
    indices = (matrix.indices[order] - n // 2) % n
    return RowMatrix(indices.astype(np.int32), matrix.weights[order], n)
