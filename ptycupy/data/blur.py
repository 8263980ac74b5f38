"""Gaussian blurs of measured patterns: over the scan, as a larger source makes it, and over the detector."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.data.shapes import require_scan_shape
from ptycupy.data.source import Calibration, Provenance, SourceView

TRUNCATE = 4.0  # standard deviations that the kernels reach


@dataclass(frozen=True)
class BlurDetector:
    """Every pattern blurred over its pixels, as float32; the edge pixel is mirrored with itself."""

    std: float  # px

    def __call__(self, patterns: NDArray[Any]) -> NDArray[Any]:
        from scipy.ndimage import gaussian_filter1d

        values = patterns.astype(np.float64)
        for axis in (-2, -1):
            values = gaussian_filter1d(values, self.std, axis, mode="reflect", truncate=TRUNCATE)
        return values.astype(np.float32)

    def calibrate(self, calibration: Calibration) -> Calibration:
        return calibration

    def __str__(self) -> str:
        return f"blur the detector by {self.std:g} px"


@dataclass(frozen=True)
class ScanBlur(SourceView):
    """Patterns blurred over the two axes of the scan; only the rows that one row is made of are held at once.

    Beyond the scan's edge its rows and columns are mirrored, edge included. Patterns that `used` [N] leaves out give
    nothing to their neighbours, whose weights are then those of the rest.
    """

    std: tuple[float, float]  # scan positions (slow, fast)
    used: NDArray[np.bool_] | None = None

    @property
    def scan_shape(self) -> tuple[int, int]:
        return require_scan_shape(self.base)

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(np.float32)

    @property
    def provenance(self) -> Provenance:
        before = self.base.provenance
        return replace(before, steps=(*before.steps, "blur the scan by {:g} x {:g} positions".format(*self.std)))

    def read(self, indices: Sequence[int] | NDArray[np.integer[Any]]) -> NDArray[Any]:
        """Patterns [n, ky, kx]; whole rows of the scan are read for them."""
        wanted = np.asarray(indices, dtype=np.int64).reshape(-1)
        if wanted.size and (wanted.min() < 0 or wanted.max() >= self.shape[0]):
            raise IndexError(f"pattern {wanted.min()}..{wanted.max()} asked for, there are {self.shape[0]}")
        rows, columns = np.divmod(wanted, self.scan_shape[1])
        patterns = np.empty((wanted.size, *self.shape[1:]), np.float32)
        kept: OrderedDict[int, NDArray[np.float32]] = OrderedDict()
        for row in np.unique(rows).tolist():
            here = rows == row
            patterns[here] = self._row(row, kept)[columns[here]]
        return patterns

    def slabs(self, size: int) -> Iterator[tuple[slice, NDArray[Any]]]:
        """All patterns in order, at most `size` at a time; rows that come near again are kept until they are past."""
        kept: OrderedDict[int, NDArray[np.float32]] = OrderedDict()
        slow, fast = self.scan_shape
        for row in range(slow):
            blurred = self._row(row, kept)
            for start in range(0, fast, size):
                stop = min(start + size, fast)
                yield slice(row * fast + start, row * fast + stop), blurred[start:stop]

    def _row(self, row: int, kept: OrderedDict[int, NDArray[np.float32]]) -> NDArray[np.float32]:
        """One row [fast, ky, kx] of the blurred scan; `kept` holds raw rows between calls."""
        from scipy.ndimage import correlate1d

        slow, fast = self.scan_shape
        down, across = (_kernel(std) for std in self.std)
        reach = len(down) // 2
        weights = np.zeros(slow)
        np.add.at(weights, _mirrored(np.arange(row - reach, row + reach + 1), slow), down)
        needed = np.flatnonzero(weights)
        for other in [key for key in kept if key not in needed]:
            del kept[other]
        total = np.zeros((fast, *self.shape[1:]))
        share = np.zeros(fast)
        for other in needed.tolist():
            used = np.ones(fast) if self.used is None else self.used[other * fast : (other + 1) * fast].astype(float)
            if other not in kept:
                raw = self.base.read(np.arange(other * fast, (other + 1) * fast)).astype(np.float32)
                raw[used == 0] = 0
                kept[other] = raw
            total += weights[other] * kept[other]
            share += weights[other] * used
        total = correlate1d(total, across, axis=0, mode="reflect")
        share = correlate1d(share, across, mode="reflect")
        blurred: NDArray[np.float32] = (total / np.where(share > 0, share, 1)[:, None, None]).astype(np.float32)
        return blurred


def _kernel(std: float) -> NDArray[np.float64]:
    """The sampled, normalised Gaussian that reaches TRUNCATE standard deviations."""
    reach = int(TRUNCATE * std + 0.5)
    taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(std, 1e-12)) ** 2)
    normalised: NDArray[np.float64] = taps / taps.sum()
    return normalised


def _mirrored(index: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """d c b a | a b c d | d c b a"""
    folded = index % (2 * n)
    return np.minimum(folded, 2 * n - 1 - folded)
