"""A simulated 4D-STEM or ptychography data set with its truth, and the HDF5 file that holds both."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ptycupy.data.source import ArraySource, Calibration, Provenance
from ptycupy.errors import ResourceError
from ptycupy.storage.atomic import atomic_write

CHUNK_PATTERNS = 16


@dataclass(frozen=True)
class SimulatedScan:
    """Patterns as a detector would have recorded them, and the object they came from; all arrays are NumPy.

    The scan is row-major: pattern i was taken at (i // fast, i % fast).
    """

    patterns: NDArray[Any]  # [N, ky, kx], beam in the centre: uint16/uint32 counts, or float32 of unit probe power
    scan_shape: tuple[int, int]  # (slow, fast)
    scan_step: tuple[float, float]  # angstrom (slow = y, fast = x)
    pixel_size: tuple[float, float]  # angstrom (y, x), of a reconstruction with the window of the detector's shape
    positions: NDArray[np.float64]  # [N, 2] px (y, x) of such a window's corner on a reconstruction's canvas
    energy_kev: float
    convergence_angle_mrad: float
    truth_phase: NDArray[np.float32]  # [z, Y, X] rad (sigma V of each slice), atoms at rest
    truth_pixel_size: tuple[float, float]  # angstrom (y, x)
    truth_slice_thickness: float  # angstrom
    scan_origin: tuple[float, float]  # angstrom (y, x) from pixel (0, 0) of the truth to the first probe's centre
    electrons_per_pattern: float | None  # incident; None = no noise
    provenance: str  # the configuration that made it, YAML

    @property
    def dk(self) -> tuple[float, float]:
        """Size of a detector pixel in 1/angstrom (ky, kx)."""
        _, ky, kx = self.patterns.shape
        return 1 / (ky * self.pixel_size[0]), 1 / (kx * self.pixel_size[1])

    def source(self) -> ArraySource:
        """The patterns as a PatternSource, without a file."""
        calibration = Calibration(self.dk, self.scan_step, self.energy_kev)
        return ArraySource(self.patterns, self.scan_shape, calibration, Provenance("<simulated>"))


def write_dataset(path: str | Path, scan: SimulatedScan) -> Path:
    """Write a scan to an HDF5 file that `data.open_source` and the `truth` section read back; returns the path.

    Datasets `dp` [N, ky, kx], `positions_px` [N, 2] and `truth_phase` [z, Y, X], calibration as attributes of `dp`
    and `truth_phase`. The file appears whole or not at all. Raises ResourceError where it cannot be written.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ResourceError(f"{path.parent}: the folder of the simulated data set cannot be made: {error}") from error
    with atomic_write(path) as sink, h5py.File(sink, "w") as file:
        _write(file, scan)
    return path


def _write(file: h5py.File, scan: SimulatedScan) -> None:
    file.attrs["ptycupy_simulation"] = scan.provenance
    count, ky, kx = scan.patterns.shape
    chunk = (min(CHUNK_PATTERNS, count), ky, kx)
    patterns = file.create_dataset("dp", data=scan.patterns, chunks=chunk, compression="gzip", shuffle=True)
    patterns.attrs.update(
        dx_A=scan.pixel_size,
        dk_invA=scan.dk,
        scan_shape=scan.scan_shape,
        scan_step_A=scan.scan_step,
        energy_keV=scan.energy_kev,
        semiangle_mrad=scan.convergence_angle_mrad,
    )
    if scan.electrons_per_pattern is not None:
        patterns.attrs["electrons_per_pattern"] = scan.electrons_per_pattern
    positions = file.create_dataset("positions_px", data=scan.positions)
    positions.attrs["note"] = "(y, x) of the window's corner in px of dx_A, row-major over the scan"
    truth = file.create_dataset("truth_phase", data=scan.truth_phase, compression="gzip", shuffle=True)
    truth.attrs.update(
        px_A=scan.truth_pixel_size,
        slice_A=scan.truth_slice_thickness,
        scan_origin_A=scan.scan_origin,
        note="rad, sigma V of each slice with the atoms at rest; scan_origin_A: pixel (0, 0) to the first probe",
    )
