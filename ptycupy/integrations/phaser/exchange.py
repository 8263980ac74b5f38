"""phaser's state as a Problem and a State, and back: lengths in angstrom, positions of window middles, (n - 1)/2."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from phaser.utils.num import to_numpy  # type: ignore[import-not-found]

from ptycupy.errors import DataError
from ptycupy.experiment.state import Problem, State
from ptycupy.functional import forward
from ptycupy.reconstruction.engine import Engine

PROBED = 64  # patterns that the probe's intensity is fitted to


@dataclass(frozen=True)
class Placed:
    """A reconstruction of phaser on our grid."""

    problem: Problem
    state: State
    scan_shape: tuple[int, ...]
    corner: NDArray[np.float64]  # angstrom (y, x), the object's first pixel
    has_tilts: bool


@dataclass(frozen=True)
class Measured:
    """Patterns [N, ky, kx] with the beam in the centre, the pixels that count, and the scan's shape."""

    patterns: NDArray[np.float32]
    mask: NDArray[np.bool_]
    scan_shape: tuple[int, ...]


def patterns_of(data: Any) -> Measured:
    """phaser keeps the beam in the corner, and weights of pixels, of which those above 1/2 count here."""
    values = np.fft.fftshift(np.asarray(to_numpy(data.patterns), np.float32), axes=(-2, -1))
    mask = np.fft.fftshift(np.asarray(to_numpy(data.pattern_mask)) > 0.5, axes=(-2, -1))
    return Measured(values.reshape(-1, *values.shape[-2:]), mask, values.shape[:-2])


def taken(state: Any, measured: Measured, anti_aliasing: bool) -> Placed:
    """Patterns are scaled to a mean of 1 at their brightest, as rates of learning expect, and the probe to them.

    Raises DataError where no pattern has intensity.
    """
    wave = np.asarray(to_numpy(state.probe.data), np.complex64)
    volume = np.asarray(to_numpy(state.object.data), np.complex64)
    step, window = np.asarray(state.object.sampling.sampling), np.asarray(wave.shape[-2:])
    scan = np.asarray(to_numpy(state.scan.data), np.float64).reshape(-1, 2)
    origin = np.asarray(state.object.sampling.corner, np.float64)
    places = (scan - origin) / step - (window - 1) / 2
    corners = np.rint(places)
    brightest = float(np.nanmean(measured.patterns, axis=0).max())
    if not brightest > 0:
        raise DataError("patterns: none has intensity")
    gaps = np.asarray(to_numpy(state.object.thicknesses), np.float32)[: len(volume) - 1]
    tilt = state.scan.tilt
    problem = Problem(
        patterns=measured.patterns,
        corners=corners.astype(np.int32),
        pixel_size=(float(step[0]), float(step[1])),
        wavelength=float(state.wavelength),
        mask=measured.mask,
        pattern_scale=1 / brightest,
        propagator="fresnel",
        anti_aliasing=anti_aliasing,
    )
    ours = State(
        object_amplitude=np.abs(volume)[None],
        object_phase=np.angle(volume)[None],
        probe=wave,
        shifts=(places - corners).astype(np.float32),
        tilts=np.zeros((1, 2), np.float32) if tilt is None else np.asarray(to_numpy(tilt), np.float32).reshape(-1, 2),
        slice_thickness=gaps if gaps.size else np.float32(1.0),
    )
    shown = np.unique(np.linspace(0, len(corners) - 1, min(PROBED, len(corners))).astype(int))
    total = measured.mask * np.nan_to_num(measured.patterns[shown]) / brightest
    factor = float(np.sum(total) / np.sum(measured.mask * forward(problem, ours, shown)))
    return Placed(
        problem, ours.replace(probe=wave * np.float32(factor**0.5)), measured.scan_shape, origin, tilt is not None
    )


def put_back(engine: Engine, placed: Placed, state: Any, xp: Any) -> None:
    """What the engine has found, into phaser's state, in its arrays and types."""
    found, problem = engine.state, engine.problem
    step = np.asarray(state.object.sampling.sampling)
    volume = found.object_amplitude[0] * np.exp(1j * found.object_phase[0])
    _fit_sampling(engine, placed, state, volume.shape[-2:], step)
    corner, window = np.asarray(state.object.sampling.corner), np.asarray(found.probe.shape[-2:])
    scan = (problem.corners + found.shifts + (window - 1) / 2) * step + corner
    brightest = 1 / placed.problem.pattern_scale
    state.object.data = _like(xp, volume, state.object.data)
    state.probe.data = _like(xp, found.probe * brightest**0.5, state.probe.data)
    state.scan.data = _like(xp, scan.reshape(*placed.scan_shape, 2), state.scan.data)
    if placed.has_tilts:
        state.scan.tilt = _like(xp, found.tilts.reshape(*placed.scan_shape, 2), state.scan.tilt)


def _fit_sampling(engine: Engine, placed: Placed, state: Any, shape: Any, step: NDArray[Any]) -> None:
    """Where positions have left the object, our canvas has grown: before its first pixel by as much as all first
    positions moved on it."""
    old = state.object.sampling
    if tuple(shape) == tuple(old.shape):
        return
    before = np.rint(engine.initial_positions[0] - placed.problem.corners[0] - placed.state.shifts[0])
    state.object.sampling = type(old)(
        tuple(shape), old.sampling, placed.corner - before * step, old.region_min, old.region_max
    )


def _like(xp: Any, values: NDArray[Any], old: Any) -> Any:
    return xp.asarray(values.astype(np.dtype(to_numpy(old).dtype)))
