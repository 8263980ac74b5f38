"""Linear interpolation of patterns between detector grids of equal extent."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ptycupy.data.source import Calibration
from ptycupy.errors import ConfigError


class Taps(NamedTuple):
    """out[i] = (1 - fraction[i]) values[low[i]] + fraction[i] values[high[i]]."""

    low: NDArray[np.int64]
    high: NDArray[np.int64]
    fraction: NDArray[np.float64]


def resampled_length(n: int, factor: float) -> int:
    """floor(n factor); ConfigError where nothing is left."""
    size = math.floor(n * factor + 1e-9)
    if size < 1:
        raise ConfigError(f"data.resample.factors: {factor:g} leaves nothing of {n} px; at least {1 / n:.3g} is needed")
    return size


def linear_taps(n: int, size: int, step: float) -> Taps:
    """Neighbours and weights of `size` points in n px, `step` px apart, both grids beginning at the same edge."""
    source = np.clip((np.arange(size) + 0.5) * step - 0.5, 0, n - 1)
    low = np.minimum(np.floor(source).astype(np.int64), n - 1)
    return Taps(low, np.minimum(low + 1, n - 1), source - low)


@dataclass(frozen=True)
class ResamplePatterns:
    """Every pattern on floor(n factor) pixels per axis, its intensity divided by the factors: the sum is preserved.

    A pixel is not a number where one of those it is made of is none.
    """

    factors: tuple[float, float]  # (y, x)

    def __call__(self, patterns: NDArray[Any]) -> NDArray[Any]:
        values = patterns.astype(np.float64)
        for axis, factor in zip((-2, -1), self.factors, strict=True):
            if factor != 1:
                values = _along(values, axis, factor)
        return values.astype(np.float32)

    def calibrate(self, calibration: Calibration) -> Calibration:
        def scaled(dk: tuple[float, float] | None) -> tuple[float, float] | None:
            return dk and (dk[0] / self.factors[0], dk[1] / self.factors[1])

        dk, angles = scaled(calibration.dk_inverse_angstrom), scaled(calibration.dk_mrad)
        return replace(calibration, dk_inverse_angstrom=dk, dk_mrad=angles)

    def __str__(self) -> str:
        return "resample the detector by {:g} x {:g}".format(*self.factors)


def _along(values: NDArray[np.float64], axis: int, factor: float) -> NDArray[np.float64]:
    n = values.shape[axis]
    taps = linear_taps(n, resampled_length(n, factor), 1 / factor)
    fraction = taps.fraction[:, None] if axis == -2 else taps.fraction
    low, high = np.take(values, taps.low, axis), np.take(values, taps.high, axis)
    # A weight of 0 keeps even what is not a number out.
    high = np.where(fraction == 0, 0, high)
    mixed: NDArray[np.float64] = ((1 - fraction) * low + fraction * high) / factor
    return mixed
