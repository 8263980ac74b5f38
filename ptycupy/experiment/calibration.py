"""From what is known of the detector to the pixel size of the model."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.errors import ConfigError
from ptycupy.experiment.optics import pair

if TYPE_CHECKING:
    from ptycupy.config import schema

log = logging.getLogger(__name__)

Pair = tuple[float, float]
Shape = tuple[int, int]

SAMPLING_TOLERANCE = 0.05  # of two statements about the same detector pixel
DISK_TOLERANCE = 0.2  # of a disk that was fitted in the patterns: scattering and a thick specimen blur its edge
FIT_TOLERANCE = 0.05  # of its radius by two levels, in one mean pattern
LEVELS = 20  # rounds at the most until the level of the bright disk stands


@dataclass(frozen=True)
class Geometry:
    """The detector and the simulated window in numbers; None where nothing is calibrated."""

    window: Shape  # (y, x) px of the simulated window
    detector: Shape  # (ky, kx) px
    pixel_size: Pair | None  # angstrom (y, x) of the simulated window
    dk: Pair | None  # 1/angstrom (ky, kx) per detector pixel
    wavelength: float | None  # angstrom


@dataclass(frozen=True)
class Known:
    """What a calibration may draw upon."""

    raw_detector: Shape  # (ky, kx) px before any crop: numbers that users give refer to it
    detector: Shape  # (ky, kx) px of the model: after crops, padding and resampling
    wavelength: float | None = None  # angstrom
    convergence_angle: float | None = None  # mrad
    mean_pattern: NDArray[Any] | None = None  # [ky, kx]
    file_dk: Pair | None = None  # 1/angstrom (ky, kx) per detector pixel
    file_wavelength: float | None = None  # angstrom
    sampling: Pair = (1.0, 1.0)  # detector pixels (y, x) of the model per measured one


def calibrate(
    calibration: schema.Calibration,
    known: Known,
    window: Shape | None = None,
    match: str = "crop",
    near_field: bool = False,
) -> Geometry:
    """The model's geometry. A window larger than the detector refines the pixel size where the detector is a `crop` of
    it (equal dk), and widens the field of view where it is `resample`d (equal pixel size).

    Raises ConfigError where something is missing, where the aperture does not fit, or where two statements disagree.
    """
    window = window or known.detector
    if match == "crop" and (window[0] < known.detector[0] or window[1] < known.detector[1]):
        raise ConfigError(
            f"model.window_shape: {_px(window)} cannot be cropped to the detector's {_px(known.detector)}; "
            "take a window at least as large, or model.detector_match: resample"
        )
    if near_field:  # patterns are images: crops do not change their pixel size
        if calibration.mode != "pixel_size_angstrom":
            raise ConfigError(f"calibration.mode: {calibration.mode}: the near field needs pixel_size_angstrom")
        y, x = _value(calibration)
        pixels = (y / known.sampling[0], x / known.sampling[1])
        return Geometry(window, known.detector, pixels, None, known.wavelength)
    measured = detector_sampling(calibration, known)
    if measured is None:
        return Geometry(window, known.detector, None, None, known.wavelength)
    dk = (measured[0] / known.sampling[0], measured[1] / known.sampling[1])
    sampled = window if match == "crop" else known.detector
    pixel_size = (1 / (sampled[0] * dk[0]), 1 / (sampled[1] * dk[1]))
    geometry = Geometry(window, known.detector, pixel_size, dk, known.wavelength)
    _check(calibration, known, geometry, measured)
    return geometry


def detector_sampling(calibration: schema.Calibration, known: Known) -> Pair | None:
    """dk (ky, kx) in 1/angstrom per detector pixel, None for mode `none`; crops do not change it."""
    mode, raw = calibration.mode, known.raw_detector
    if mode == "none":
        return None
    if mode == "file":
        if known.file_dk is None:
            raise ConfigError("calibration.mode: file: the data file states no detector sampling; choose another mode")
        return known.file_dk
    if mode == "fitted_disk":
        return _from_disk(known, (disk_radius(_mean_pattern(known)),) * 2)
    value = _value(calibration)
    if mode == "dk_inverse_angstrom":
        return value
    if mode == "pixel_size_angstrom":
        return 1 / (raw[0] * value[0]), 1 / (raw[1] * value[1])
    if mode == "detector_pixel_um":
        if calibration.distance_m is None:
            raise ConfigError("calibration.distance_m: missing; mode detector_pixel_um needs it, for example 2.0")
        mrad = (1e-3 * value[0] / calibration.distance_m, 1e-3 * value[1] / calibration.distance_m)
        return _inverse_angstrom(mrad, known, mode)
    if mode == "da_mrad":
        return _inverse_angstrom(value, known, mode)
    if mode == "disk_radius_px":
        return _from_disk(known, value)
    if not isinstance(calibration.value, tuple) and raw[0] != raw[1]:
        raise ConfigError(
            f"calibration.value: one number is ambiguous on the rectangular detector of {_px(raw)}; "
            f"mode {mode} needs (ky, kx)"
        )
    if mode == "n_alpha":
        angle = _convergence_angle(known, mode)
        value = (value[0] * angle, value[1] * angle)
    edge = value if mode == "k_max_inverse_angstrom" else _inverse_angstrom(value, known, mode)
    return 2 * edge[0] / raw[0], 2 * edge[1] / raw[1]


def disk_radius(mean_pattern: NDArray[Any]) -> float:
    """Radius in px of the bright-field disk as PtyRAD fits it: of the area above half the mean pattern's maximum."""
    return radius_of(mean_pattern > 0.5 * np.max(mean_pattern))


def bright_disk(mean_pattern: NDArray[Any]) -> NDArray[np.bool_]:
    """Where the bright-field disk lies: above half of its own median, whatever one hot pixel or few electrons do to the
    maximum. It begins at the level above which half of all counts lie."""
    counts = np.sort(np.maximum(mean_pattern, 0), axis=None)[::-1].astype(np.float64)
    total = np.cumsum(counts)
    level = counts[np.searchsorted(total, 0.5 * total[-1])]
    for _ in range(LEVELS):
        inside: NDArray[np.bool_] = mean_pattern > 0.5 * level
        level, before = np.median(mean_pattern[inside]), level
        if level == before:
            break
    return inside


def radius_of(area: NDArray[np.bool_]) -> float:
    """Of the disk with this area, px."""
    return math.sqrt(np.count_nonzero(area) / math.pi)


def _from_disk(known: Known, radius: Pair) -> Pair:
    angle = _convergence_angle(known, "a disk radius")
    return _inverse_angstrom((angle / radius[0], angle / radius[1]), known, "a disk radius")


def _inverse_angstrom(mrad: Pair, known: Known, mode: str) -> Pair:
    if known.wavelength is None:
        raise ConfigError(
            f"calibration.mode: {mode} needs the wavelength: give illumination.voltage_kv (or energy_kev for X-rays), "
            "for example 80.0"
        )
    return mrad[0] * 1e-3 / known.wavelength, mrad[1] * 1e-3 / known.wavelength


def _convergence_angle(known: Known, mode: str) -> float:
    if known.convergence_angle is None:
        raise ConfigError(
            f"calibration: {mode} needs illumination.convergence_angle_mrad, for example 24.9; "
            "calibration.mode: none works in pixels"
        )
    return known.convergence_angle


def _mean_pattern(known: Known) -> NDArray[Any]:
    if known.mean_pattern is None:
        raise ConfigError("calibration.mode: fitted_disk needs measured patterns; choose another mode")
    return known.mean_pattern


def _value(calibration: schema.Calibration) -> Pair:
    value = calibration.value
    if value is None:
        raise ConfigError(f"calibration.value: missing; mode {calibration.mode} needs a number, or (y, x)")
    return pair(value)


def _check(calibration: schema.Calibration, known: Known, geometry: Geometry, dk: Pair) -> None:
    """Refuses statements that contradict each other, with the numbers of both sides; `dk` is per measured pixel."""
    wavelength = geometry.wavelength
    tolerance = DISK_TOLERANCE if calibration.mode in ("fitted_disk", "disk_radius_px") else SAMPLING_TOLERANCE
    if known.file_dk is not None and _differ(dk, known.file_dk, tolerance):
        raise ConfigError(
            f"calibration.mode: {calibration.mode} means {_inverse(dk)} per detector pixel, but the data file says "
            f"{_inverse(known.file_dk)}: {four_numbers(geometry)}; correct calibration, or take mode: file"
        )
    if wavelength is None:
        return
    if known.file_wavelength is not None and _differ((wavelength,), (known.file_wavelength,), SAMPLING_TOLERANCE):
        raise ConfigError(
            f"illumination: a wavelength of {wavelength:.6g} angstrom, but the data file says "
            f"{known.file_wavelength:.6g} angstrom: {four_numbers(geometry)}; "
            "check illumination.kind, voltage_kv and energy_kev"
        )
    if known.convergence_angle is None:
        return
    aperture = known.convergence_angle * 1e-3 / wavelength
    edge = min(n * step / 2 / s for n, step, s in zip(geometry.detector, dk, known.sampling, strict=True))
    if aperture > edge * (1 + 1e-9):
        raise ConfigError(
            f"illumination.convergence_angle_mrad: the aperture of {known.convergence_angle:g} mrad "
            f"({aperture:.4g} 1/angstrom) is larger than the detector ({edge:.4g} 1/angstrom): {four_numbers(geometry)}"
        )
    if known.mean_pattern is None or calibration.mode == "disk_radius_px":
        return
    seen = radius_of(bright_disk(known.mean_pattern))
    if calibration.mode == "fitted_disk":
        fitted = disk_radius(known.mean_pattern)
        if _differ((seen,), (fitted,), FIT_TOLERANCE):
            log.warning(
                "calibration.mode: fitted_disk: the area above half the maximum of the mean pattern has a radius of "
                "%.1f px, that above half the disk's own level %.1f px (hot pixels or few electrons); to take the "
                "latter: calibration: {mode: disk_radius_px, value: %.2f}", fitted, seen, seen,
            )  # fmt: skip
    else:
        expected = aperture / math.sqrt(dk[0] * dk[1])
        if _differ((seen,), (expected,), 2 * DISK_TOLERANCE):
            log.warning(
                "the bright disk of the mean pattern has a radius of %.1f px, but %g mrad would be %.1f px: %s",
                seen, known.convergence_angle, expected, four_numbers(geometry),
            )  # fmt: skip


def four_numbers(geometry: Geometry) -> str:
    """Pixel size, number of pixels, wavelength and k_max, as they stand."""
    sizes, steps = geometry.pixel_size or (math.nan,) * 2, geometry.dk or (math.nan,) * 2
    wavelength = "unknown" if geometry.wavelength is None else f"{geometry.wavelength:.6g} angstrom"
    edges = (geometry.detector[0] * steps[0] / 2, geometry.detector[1] * steps[1] / 2)
    return (
        f"pixel size {sizes[0]:.5g} x {sizes[1]:.5g} angstrom, {_px(geometry.detector)}, "
        f"wavelength {wavelength}, k_max {edges[0]:.5g} x {edges[1]:.5g} 1/angstrom"
    )


def _differ(values: tuple[float, ...], others: tuple[float, ...], tolerance: float) -> bool:
    return any(abs(a - b) > tolerance * max(abs(a), abs(b)) for a, b in zip(values, others, strict=True))


def _px(shape: Shape) -> str:
    return f"{shape[0]} x {shape[1]} px"


def _inverse(dk: Pair) -> str:
    return f"{dk[0]:.5g} x {dk[1]:.5g} 1/angstrom"
