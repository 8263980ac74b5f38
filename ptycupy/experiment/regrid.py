"""Objects and probes on another grid: other pixels, another window, other slices."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ptycupy.errors import ConfigError
from ptycupy.experiment.optics import frequencies
from ptycupy.experiment.propagation import propagation_tables

Float = NDArray[np.float64]
Float32 = NDArray[np.float32]
Sizes = tuple[float, float]
PadValue = Literal["vacuum", "mean", "edge"]
LOBES = 3  # of the Lanczos kernel
SAME = 1e-6  # relative difference of pixel sizes that is none


def lateral(field: Float32, old: Sizes, new: Sizes) -> Float32:
    """A real field (..., y, x) with pixels of another size; pixel 0 stays where it is, values per pixel are kept.

    Lanczos kernel of three lobes, stretched where pixels grow (no aliasing), repeated edge pixels outside. Real fields
    only: amplitude and phase apart, so that a phase beyond pi stays what it is.
    """
    for axis in (-2, -1):
        if not math.isclose(old[axis], new[axis], rel_tol=SAME):
            matrix = lanczos_matrix(field.shape[axis], new[axis] / old[axis])
            field = np.moveaxis(np.moveaxis(field, axis, -1) @ matrix.T, -1, axis)
    return np.ascontiguousarray(field, np.float32)


def lanczos_matrix(length: int, step: float) -> Float32:
    """[k, length]: values at 0, step, 2 step, ... of a sequence; rows sum to 1 (Duchon 1979)."""
    count = max(1, math.floor((length - 1) / step + SAME) + 1)
    width = max(1.0, step)
    centres = np.arange(count) * step
    reach = math.ceil(LOBES * width)
    taps = np.floor(centres)[:, None].astype(np.int64) + np.arange(-reach, reach + 2)
    distance = (centres[:, None] - taps) / width
    weights = np.where(np.abs(distance) < LOBES, np.sinc(distance) * np.sinc(distance / LOBES), 0)
    weights /= weights.sum(axis=1, keepdims=True)
    matrix = np.zeros((count, length))
    np.add.at(matrix, (np.arange(count)[:, None], np.clip(taps, 0, length - 1)), weights)
    return matrix.astype(np.float32)


def probe(waves: NDArray[Any], old: Sizes, window: tuple[int, int], new: Sizes) -> NDArray[np.complex128]:
    """Probe modes (mode, y, x) in another window and with other pixels, their total intensity kept.

    Fourier interpolation about the centre of the window; what the new window has beyond the old one is 0, and so are
    frequencies beyond the new Nyquist frequency. The same extent with other pixels is a crop or pad in Fourier space,
    the same pixels in another window one in real space.
    """
    if waves.shape[1:] == window and all(math.isclose(a, b, rel_tol=SAME) for a, b in zip(old, new, strict=True)):
        return waves.astype(np.complex128)
    rows, columns = (_fourier_matrix(n, a, m, b) for n, a, m, b in zip(waves.shape[1:], old, window, new, strict=True))
    moved = rows @ waves.astype(np.complex128) @ columns.T
    total = np.sum(np.abs(moved) ** 2)
    if not total > 0:
        raise ConfigError(f"the loaded probe has nothing in a window of {window[0]} x {window[1]} px of this size")
    return np.asarray(moved * np.sqrt(np.sum(np.abs(waves) ** 2) / total))


def _fourier_matrix(n: int, old: float, m: int, new: float) -> NDArray[np.complex128]:
    """[m, n]: a centred sequence of n values `old` apart at m places `new` apart."""
    same = math.isclose(old, new, rel_tol=SAME)
    here, there = (np.arange(n) - n // 2) * old, (np.arange(m) - m // 2) * (old if same else new)
    k = frequencies(n, old)
    k = k if same else k[np.abs(k) <= (0.5 + SAME) / new]
    inside = (there > here[0] - SAME * old) & (there < here[0] + (n - SAME) * old)
    matrix = np.exp(2j * np.pi * np.outer(there, k)) @ np.exp(-2j * np.pi * np.outer(k, here)) / n
    return np.asarray(matrix * inside[:, None] * math.sqrt(new / old))


def propagated(waves: NDArray[Any], distance: float, pixel_size: Sizes, wavelength: float) -> NDArray[np.complex128]:
    """Probe modes (mode, y, x) after `distance` angstrom of vacuum along the beam; exact angular spectrum."""
    from scipy.fft import fft2, fftshift, ifft2, ifftshift

    tables = propagation_tables((waves.shape[1], waves.shape[2]), pixel_size, wavelength)
    spectrum = fft2(ifftshift(waves, axes=(1, 2))) * tables.aperture * np.exp(1j * distance * tables.base)
    return np.asarray(fftshift(ifft2(spectrum), axes=(1, 2)))


def cropped(fields: tuple[Float32, Float32], span: tuple[int | None, int | None]) -> tuple[Float32, Float32]:
    """Slices span[0] up to but without span[1] of amplitude and phase (omode, z, y, x)."""
    kept = fields[0][:, slice(*span)], fields[1][:, slice(*span)]
    if not kept[0].shape[1]:
        raise ConfigError(f"object.depth.crop: {list(span)} leaves none of {fields[0].shape[1]} slices")
    return kept


def padded(
    fields: tuple[Float32, Float32], layers: tuple[int, int], values: tuple[PadValue, PadValue]
) -> tuple[Float32, Float32]:
    """Slices added before the first and behind the last of amplitude and phase (omode, z, y, x).

    vacuum: amplitude 1 and phase 0; mean: the geometric mean of amplitudes and the mean phase; edge: the nearest slice.
    """
    amplitude, phase = fields
    ends: list[tuple[Float32, Float32]] = []
    for count, value, nearest in zip(layers, values, (slice(0, 1), slice(-1, None)), strict=True):
        if value == "vacuum":
            layer = np.ones_like(amplitude[:, :1]), np.zeros_like(phase[:, :1])
        elif value == "mean":
            layer = np.exp(_log(amplitude).mean(1, keepdims=True)), phase.mean(1, keepdims=True)
        else:
            layer = amplitude[:, nearest], phase[:, nearest]
        ends.append((np.repeat(layer[0], count, 1), np.repeat(layer[1], count, 1)))
    (top, top_phase), (bottom, bottom_phase) = ends
    return np.concatenate([top, amplitude, bottom], 1), np.concatenate([top_phase, phase, bottom_phase], 1)


def resliced(fields: tuple[Float32, Float32], slices: int, thickness: Float) -> tuple[Float32, Float32]:
    """Amplitude and phase (omode, z, y, x) in `slices` equal shares of their depth; `thickness` (z,) of the given ones.

    By overlap of log-amplitude and phase, so that the product of amplitudes and the sum of phases stay what they were.
    """
    amplitude, phase = fields
    if amplitude.shape[1] == slices:
        return fields
    edges = np.concatenate([[0.0], np.cumsum(thickness)])
    wanted = np.linspace(0, edges[-1], slices + 1)
    overlap = np.minimum(wanted[1:, None], edges[None, 1:]) - np.maximum(wanted[:-1, None], edges[None, :-1])
    shares = (np.maximum(overlap, 0) / thickness).astype(np.float32)  # [slices, z], columns sum to 1
    log_amplitude = np.einsum("sz,ozyx->osyx", shares, _log(amplitude), optimize=True)
    return (
        np.exp(log_amplitude).astype(np.float32),
        np.einsum("sz,ozyx->osyx", shares, phase, optimize=True).astype(np.float32),
    )


def _log(amplitude: Float32) -> Float32:
    return np.asarray(np.log(np.maximum(amplitude, np.finfo(np.float32).tiny)), np.float32)
