"""What another program reconstructed, as a Snapshot of ours: without a history, as nothing was iterated here."""

from __future__ import annotations

from typing import Any

import numpy as np

from ptycupy.errors import DataError
from ptycupy.experiment.results.earlier import Earlier
from ptycupy.experiment.state import State
from ptycupy.storage.snapshot import History, Snapshot


def adopted(earlier: Earlier) -> Snapshot:
    """Raises DataError where the file has no object, probe or positions, or several slices of unknown thickness."""
    name = earlier.path
    amplitude, phase, probe, positions = (
        earlier.require(part, "export") for part in ("amplitude", "phase", "probe", "positions")
    )
    if amplitude.shape != phase.shape:
        raise DataError(f"{name}: amplitude {amplitude.shape} and phase {phase.shape} differ in shape")
    tilts = np.zeros((1, 2)) if earlier.tilts is None else earlier.require("tilts", "export")
    if len(tilts) not in (1, len(positions)):
        raise DataError(f"{name}: {len(tilts)} tilts for {len(positions)} positions; 1 or one for each is needed")
    corners = np.floor(positions + 0.5)
    wave = np.asarray(probe, np.complex64)
    modes = len(phase)
    state = State(
        object_amplitude=np.asarray(amplitude, np.float32),
        object_phase=np.asarray(phase, np.float32),
        probe=wave,
        shifts=(positions - corners).astype(np.float32),
        tilts=np.asarray(tilts, np.float32),
        slice_thickness=_thickness(earlier, phase.shape[1]),
    )
    return Snapshot(
        state=state,
        corners=corners.astype(np.int32),
        pixel_size=earlier.pixel_size,
        wavelength=earlier.wavelength,
        object_occupancy=np.full(modes, 1 / modes),
        detector_shape=(wave.shape[1], wave.shape[2]),
        scan_shape=None,
        detector_blur=0.0,
        propagator="angular_spectrum",
        used=np.arange(len(corners)),
        initial_positions=positions.astype(np.float32),
        probe_intensity=float(np.sum(np.abs(wave) ** 2)),
        iteration=0,
        history=History(),
        moments={},
        learning_rate_factor=1.0,
        pending=(),
        batch_losses=np.zeros((0, 1)),
        generator="{}",
        data_fingerprint="",
        config="",
        versions={},
    )


def _thickness(earlier: Earlier, slices: int) -> Any:
    if slices == 1:
        return np.float32(1.0)
    if earlier.slice_thickness is None:
        raise DataError(f"{earlier.path}: this {earlier.program} file does not say how thick its {slices} slices are")
    gaps = np.asarray(earlier.require("slice_thickness", "export"), np.float32)
    if gaps.size not in (1, slices - 1) or gaps.min() <= 0:
        raise DataError(f"{earlier.path}: slice thickness {gaps}: 1 or {slices - 1} numbers above 0 are needed")
    return np.float32(gaps.ravel()[0]) if np.ptp(gaps) == 0 else gaps
