"""The grid of a simulation: its window and pixel, and where the scan lies on its canvas."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ptycupy.config.schema import Config, Simulation
from ptycupy.errors import ConfigError
from ptycupy.experiment.calibration import Known, calibrate
from ptycupy.experiment.optics import electron_wavelength, xray_wavelength
from ptycupy.experiment.scan import affine_matrix, distort, orient, raster
from ptycupy.simulate.potentials import BAND_LIMIT

GUARD = 4.0
"""Angstrom around the outermost windows, at least: the object is periodic and its seam must not be seen."""
NEEDS_DATA = {"fitted_disk", "file", "none"}
"""Calibration modes that say nothing before there are patterns."""


@dataclass(frozen=True)
class Grid:
    """Window, pixel and positions of a simulation.

    The window covers the same field as a reconstruction's window of the detector's shape, with pixels finer by the
    integer `oversampling`: its far field has the detector's pixel size and reaches `oversampling` times as far, and
    the detector is the middle of it. So a reconstruction's pixel is exactly `oversampling` pixels wide. The canvas is
    the same field for every `oversampling`, and the middle of the scan is its middle.
    """

    wavelength: float  # angstrom
    energy_kev: float
    convergence_angle_mrad: float
    detector_shape: tuple[int, int]
    detector_pixel: tuple[float, float]  # angstrom (y, x): pixel size of a reconstruction
    oversampling: int
    scan_step: tuple[float, float]  # angstrom (slow, fast)
    corners: NDArray[np.int32]  # [N, 2] px of the window on the canvas
    shifts: NDArray[np.float32]  # [N, 2] px
    canvas: tuple[int, int]  # px (y, x)
    scan_origin: tuple[float, float]  # angstrom (y, x), of the undistorted raster's first point

    @property
    def window(self) -> tuple[int, int]:
        """(y, x) px."""
        return self.detector_shape[0] * self.oversampling, self.detector_shape[1] * self.oversampling

    @property
    def pixel_size(self) -> tuple[float, float]:
        """(y, x) angstrom."""
        return self.detector_pixel[0] / self.oversampling, self.detector_pixel[1] / self.oversampling

    @property
    def field(self) -> tuple[float, float]:
        """Size (y, x) of the canvas in angstrom."""
        return self.canvas[0] * self.pixel_size[0], self.canvas[1] * self.pixel_size[1]

    @property
    def positions(self) -> NDArray[np.float64]:
        """[N, 2] px (y, x) of the corner of a reconstruction's window, from the canvas' first pixel."""
        centres = self.corners + self.shifts.astype(float) + np.asarray(self.window) // 2
        corners: NDArray[np.float64] = centres / self.oversampling - np.asarray(self.detector_shape) // 2
        return corners


def make_grid(config: Config, simulation: Simulation) -> Grid:
    """The grid that a configuration asks for; raises ConfigError where it does not say enough or cannot be."""
    beam = config.illumination
    energy = beam.voltage_kv if beam.kind == "electron" else beam.energy_kev
    if energy is None or beam.convergence_angle_mrad is None:
        name = "voltage_kv" if beam.kind == "electron" else "energy_kev"
        raise ConfigError(f"a simulation needs illumination.{name} and illumination.convergence_angle_mrad")
    wavelength = electron_wavelength(energy) if beam.kind == "electron" else xray_wavelength(energy)
    pixel = _detector_pixel(config, simulation.detector_shape, wavelength)
    edge = BAND_LIMIT / 2 * simulation.oversampling / max(pixel)
    if beam.convergence_angle_mrad * 1e-3 / wavelength > edge:
        raise ConfigError(
            f"illumination.convergence_angle_mrad: {beam.convergence_angle_mrad:g} mrad do not fit a simulation that "
            f"reaches {edge * wavelength * 1e3:.4g} mrad; use a smaller pixel or a larger simulation.oversampling"
        )
    step = _scan_step(config, pixel)
    positions = _positions(config, simulation.scan_shape, step) / np.asarray(pixel)
    detector, factor = np.asarray(simulation.detector_shape), simulation.oversampling
    extent = 2 * np.abs(positions).max(0) + detector + 2 * GUARD / np.asarray(pixel)
    canvas = factor * np.array([_fast_length(math.ceil(length)) for length in extent])
    exact = canvas / 2 + factor * positions - factor * detector // 2
    corners = np.rint(exact).astype(np.int64)
    origin = canvas / factor * pixel / 2 - (np.asarray(simulation.scan_shape) - 1) / 2 * np.asarray(step)
    return Grid(
        wavelength=wavelength,
        energy_kev=energy,
        convergence_angle_mrad=beam.convergence_angle_mrad,
        detector_shape=simulation.detector_shape,
        detector_pixel=pixel,
        oversampling=factor,
        scan_step=step,
        corners=corners.astype(np.int32),
        shifts=(exact - corners).astype(np.float32),
        canvas=(int(canvas[0]), int(canvas[1])),
        scan_origin=(float(origin[0]), float(origin[1])),
    )


def _fast_length(length: int) -> int:
    from scipy.fft import next_fast_len

    return int(next_fast_len(length, real=True))


def _detector_pixel(config: Config, detector: tuple[int, int], wavelength: float) -> tuple[float, float]:
    """Pixel size (y, x) in angstrom of a reconstruction: 1 / (detector pixels * dk)."""
    if config.calibration.mode in NEEDS_DATA:
        raise ConfigError(
            f"calibration.mode: {config.calibration.mode} fixes no pixel size without data; a simulation needs, "
            "for example, mode: pixel_size_angstrom and value: 0.15"
        )
    known = Known(detector, detector, wavelength, config.illumination.convergence_angle_mrad)
    pixel = calibrate(config.calibration, known).pixel_size
    assert pixel is not None
    return pixel


def _scan_step(config: Config, pixel: tuple[float, float]) -> tuple[float, float]:
    """Scan step (slow, fast) in angstrom."""
    scan = config.scan
    if scan.step_angstrom is not None:
        slow, fast = np.broadcast_to(np.asarray(scan.step_angstrom, float), (2,))
    elif scan.step_px is not None:
        slow, fast = np.broadcast_to(np.asarray(scan.step_px, float), (2,)) * pixel
    else:
        raise ConfigError("a simulation needs scan.step_angstrom (or scan.step_px), for example 0.43")
    return float(slow), float(fast)


def _positions(config: Config, shape: tuple[int, int], step: tuple[float, float]) -> NDArray[np.float64]:
    """Positions [N, 2] in angstrom (y, x), as the scan section describes them, about the origin."""
    scan, affine = config.scan, config.scan.affine
    positions = orient(raster(shape, step), shape, scan.reverse_slow, scan.reverse_fast, scan.swap_axes)
    matrix = affine_matrix(affine.scale, affine.asymmetry, affine.rotation_degrees, affine.shear_degrees)
    return distort(positions, matrix)
