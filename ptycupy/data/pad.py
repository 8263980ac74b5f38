"""A larger detector around the measured one: the background that continues the mean pattern outwards."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.data.source import Calibration
from ptycupy.errors import ConfigError, DataError

if TYPE_CHECKING:
    from ptycupy.config.preparation import Pad

Float = NDArray[np.float64]


def margins(shape: tuple[int, int], target: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
    """((top, bottom), (left, right)) px that keep the beam, which is at n // 2, in the centre; ConfigError where the
    target is smaller."""
    if target[0] < shape[0] or target[1] < shape[1]:
        raise ConfigError(
            f"data.pad.target_shape: {target[0]} x {target[1]} px is smaller than the detector's {shape[0]} x "
            f"{shape[1]} px; data.crop_detector makes it smaller"
        )
    before = [new // 2 - old // 2 for new, old in zip(target, shape, strict=True)]
    after = [new - old - first for new, old, first in zip(target, shape, before, strict=True)]
    return (before[0], after[0]), (before[1], after[1])


def background(pad: Pad, mean_pattern: Float, mask: NDArray[np.bool_] | None = None) -> Float:
    """Intensities [Y, X] that continue a normalised mean pattern [ky, kx] on the target grid; 0 in the measured block.

    The amplitude, the root of the intensity, is continued: by a value, the edge, a ramp, or a fit. Pixels outside
    `mask` take no part in a fit. ConfigError for a target that is too small, DataError where a fit fails.
    """
    sides = margins((mean_pattern.shape[0], mean_pattern.shape[1]), pad.target_shape)
    amplitude = np.sqrt(np.maximum(mean_pattern, 0))
    if pad.kind == "constant":
        padded = np.pad(amplitude, sides, mode="constant", constant_values=pad.value)
    elif pad.kind == "edge":
        padded = np.pad(amplitude, sides, mode="edge")
    elif pad.kind == "linear_ramp":
        padded = np.pad(amplitude, sides, mode="linear_ramp", end_values=pad.value)
    else:
        padded = _fitted(pad, amplitude, mask)
    result: Float = padded.astype(np.float64) ** 2
    (top, _), (left, _) = sides
    result[top : top + amplitude.shape[0], left : left + amplitude.shape[1]] = 0
    return result


def _fitted(pad: Pad, amplitude: Float, mask: NDArray[np.bool_] | None) -> Float:
    from scipy.optimize import OptimizeWarning, curve_fit

    curves = {"exponential": (_exponential, 0.1), "power": (_power, 1.0)}
    curve, decay = curves[pad.kind]
    weak = amplitude <= np.percentile(amplitude if mask is None else amplitude[mask], pad.threshold_percentile)
    if mask is not None:
        weak &= mask
    first = (float(amplitude.max()), decay)
    what = f"data.pad.kind: {pad.kind}"
    if np.count_nonzero(weak) < len(first):
        raise DataError(
            f"{what}: {np.count_nonzero(weak)} pixels are below the percentile {pad.threshold_percentile:g}, two or "
            "more are needed; raise data.pad.threshold_percentile"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", OptimizeWarning)  # of the covariance, which nobody looks at
            found, _ = curve_fit(curve, _radius(amplitude.shape)[weak], amplitude[weak], p0=first, bounds=(0, np.inf))
    except (RuntimeError, ValueError) as error:
        raise DataError(f"{what}: the fit to the mean pattern failed ({error}); take edge or constant") from error
    if not np.isfinite(found).all():
        raise DataError(f"{what}: the fit to the mean pattern gave {found.tolist()}; take edge or constant")
    values = curve(_radius(pad.target_shape), *found)
    result: Float = values
    return result


def _radius(shape: tuple[int, ...]) -> Float:
    y, x = (np.arange(n) - n // 2 for n in shape)
    distance: Float = np.hypot(y[:, None], x[None, :]) + 1e-10
    return distance


def _exponential(r: Float, a: float, b: float) -> Float:
    values: Float = a * np.exp(-b * r)
    return values


def _power(r: Float, a: float, b: float) -> Float:
    values: Float = a * r**-b
    return values


@dataclass(frozen=True)
class PadPatterns:
    """Every pattern in the middle of a background [Y, X] of the patterns' units, as float32."""

    background: Float

    def __call__(self, patterns: NDArray[Any]) -> NDArray[Any]:
        height, width = patterns.shape[-2:]
        (top, _), (left, _) = margins((height, width), (self.background.shape[0], self.background.shape[1]))
        padded = np.empty((*patterns.shape[:-2], *self.background.shape), np.float32)
        padded[...] = self.background
        padded[..., top : top + height, left : left + width] = patterns
        return padded

    def calibrate(self, calibration: Calibration) -> Calibration:
        return calibration

    def __str__(self) -> str:
        height, width = self.background.shape
        return f"pad the detector to {height} x {width} px"


def padded_mask(mask: NDArray[np.bool_], target: tuple[int, int]) -> NDArray[np.bool_]:
    """The mask [ky, kx] on the padded grid, whose background counts."""
    return np.pad(mask, margins((mask.shape[0], mask.shape[1]), target), constant_values=True)
