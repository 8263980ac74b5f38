"""What ptychodus and CXI hold of a reconstruction: metres, and positions of window middles from the object's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.errors import ConfigError
from ptycupy.experiment.optics import HC_KEV_ANGSTROM
from ptycupy.experiment.results.earlier import METRE
from ptycupy.storage.layouts import mean_transmission
from ptycupy.storage.snapshot import Snapshot

NOMINAL_DISTANCE = 1.0  # metres to a detector: only angles count in the far field
JOULE_PER_EV = 1.602176634e-19


@dataclass(frozen=True)
class Calibrated:
    """The lengths without which a file in metres or angstrom cannot be written."""

    pixel_size: tuple[float, float]  # angstrom (y, x)
    wavelength: float  # angstrom

    @property
    def photon_kev(self) -> float:
        """Energy of a photon of this wavelength: programs for X-rays compute the wavelength from it."""
        return HC_KEV_ANGSTROM / self.wavelength


def calibrated(snapshot: Snapshot, program: str) -> Calibrated:
    """ConfigError where the reconstruction is in pixels."""
    if snapshot.pixel_size is None or snapshot.wavelength is None:
        raise ConfigError(
            f"export to {program}: its files are in units of length, but this reconstruction has no pixel size or "
            "wavelength; calibrate it (section calibration), or export to npz, ptyrad or phaser"
        )
    return Calibrated(snapshot.pixel_size, snapshot.wavelength)


def transmission(snapshot: Snapshot) -> NDArray[np.complex64]:
    """The object (z, y, x); several object modes as their mean."""
    return np.stack([mean_transmission(snapshot, index) for index in range(snapshot.state.object_phase.shape[1])])


def corners(snapshot: Snapshot) -> NDArray[np.float64]:
    """Top-left corner of every window (N, 2) in px (y, x) of the object, with its fraction."""
    placed: NDArray[np.float64] = snapshot.corners + np.asarray(snapshot.shifts, np.float64)
    return placed


def gaps(snapshot: Snapshot) -> NDArray[np.float64]:
    """Distances (z-1,) between slices in angstrom."""
    count = snapshot.state.object_phase.shape[1] - 1
    return np.array(np.broadcast_to(np.asarray(snapshot.state.slice_thickness, np.float64), (count,)))


@dataclass(frozen=True)
class Product:
    """Lengths in metres; y and x grow with the rows and columns of the arrays."""

    object: NDArray[np.complex64]  # (z, y, x)
    probe: NDArray[np.complex64]  # (1, pmode, y, x): one coherent, several incoherent modes
    y: NDArray[np.float64]  # (N,) middle of the window, (n - 1)/2 px from its corner, from the middle of the object
    x: NDArray[np.float64]
    pixel_size: tuple[float, float]  # (y, x)
    spacing: NDArray[np.float64]  # (z-1,)
    photon_ev: float
    intensity: float
    epochs: NDArray[np.int64]
    losses: NDArray[np.float64]


def product(snapshot: Snapshot, program: str) -> Product:
    """ConfigError where the reconstruction is in pixels."""
    known = calibrated(snapshot, program)
    size = np.asarray(known.pixel_size) / METRE
    wave = np.asarray(snapshot.state.probe, np.complex64)
    shape: Any = np.asarray(snapshot.state.object_phase.shape[-2:])
    middle = corners(snapshot) + (np.asarray(wave.shape[-2:]) - 1) / 2 - (shape - 1) / 2
    y, x = (middle * size).T
    return Product(
        object=transmission(snapshot),
        probe=wave[None],
        y=y,
        x=x,
        pixel_size=(float(size[0]), float(size[1])),
        spacing=gaps(snapshot) / METRE,
        photon_ev=known.photon_kev * 1e3,
        intensity=float(np.sum(np.abs(wave) ** 2)),
        epochs=np.asarray(snapshot.history.iterations, np.int64),
        losses=np.asarray(snapshot.history.total, np.float64),
    )
