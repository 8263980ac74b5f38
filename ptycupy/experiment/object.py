"""The object: its size against memory, its first guess, and the weights of its modes."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.data.files import available_memory, human
from ptycupy.errors import ConfigError, ResourceError
from ptycupy.experiment.seeds import generator

log = logging.getLogger(__name__)

Float32 = NDArray[np.float32]
Shape = tuple[int, int, int, int]  # (omode, z, y, x)

# Amplitude and phase, their gradients, two Adam moments each, and the complex transmission with its gradient.
BYTES_PER_VOXEL = 4 * (2 + 2 + 4) + 8 * 2
FIRST_PHASE = 1e-8  # rad; a flat start whose modes and slices are not exactly equal
MODE_SPREAD = 5e-4  # of further modes, in amplitude and rad: one optimizer step, so that they can part from the first


def require_memory(shape: Shape) -> None:
    """ResourceError, with the estimate, where a reconstruction of this object cannot fit this machine's memory."""
    needed, free = BYTES_PER_VOXEL * math.prod(shape), available_memory()
    if free is not None and needed > free:
        modes, slices, y, x = shape
        raise ResourceError(
            f"an object of {y} x {x} px with {slices} slices and {modes} modes needs about {human(needed)}, "
            f"{human(free)} are free; check the scan step, the positions' unit, calibration and object.margin"
        )


def vacuum(shape: Shape, seed: int) -> tuple[Float32, Float32]:
    """Amplitude and phase (omode, z, y, x) of an empty object: 1 and U[0, 1e-8) rad, further modes spread a little."""
    rng = generator(seed, "object.phase")
    phase = rng.random(shape, np.float32) * np.float32(FIRST_PHASE)
    amplitude = np.ones(shape, np.float32)
    if shape[0] > 1:
        spread(amplitude[1:], phase[1:], seed)
    return amplitude, phase


def spread(amplitude: Float32, phase: Float32, seed: int) -> None:
    """Adds the small random spread that tells object modes apart, in place; phases only grow, as positivity asks."""
    rng = generator(seed, "object.modes")
    amplitude += np.float32(MODE_SPREAD) * rng.standard_normal(amplitude.shape, np.float32)
    phase += np.float32(MODE_SPREAD) * np.abs(rng.standard_normal(phase.shape, np.float32))


def with_modes(amplitude: Float32, phase: Float32, modes: int, seed: int) -> tuple[Float32, Float32]:
    """A given object (omode, z, y, x) with exactly `modes` modes: the first ones, or copies of the last, spread."""
    given = min(modes, len(amplitude))
    copies = np.minimum(np.arange(modes), given - 1)
    amplitude, phase = amplitude[copies], phase[copies]
    if modes > given:
        spread(amplitude[given:], phase[given:], seed)
    return amplitude, phase


def grown(field: Float32, canvas: tuple[int, int], origin: tuple[int, int], value: float) -> Float32:
    """A field (..., y, x) on a canvas that holds it, its first pixel at `origin`, `value` around it."""
    out = np.full((*field.shape[:-2], *canvas), value, np.float32)
    y, x = origin
    out[..., y : y + field.shape[-2], x : x + field.shape[-1]] = field
    return out


def occupancies(modes: int, weights: Sequence[float] | None) -> NDArray[np.float64]:
    """Weights (omode,) of the object modes that sum to 1; equal where none are given."""
    if weights is None:
        return np.full(modes, 1 / modes)
    values = np.asarray(weights, np.float64)
    if values.shape != (modes,):
        raise ConfigError(f"object.occupancies: {values.size} weights for {modes} object modes (object.modes)")
    if not (np.isfinite(values).all() and (values > 0).all()):
        raise ConfigError(f"object.occupancies: {_listed(values)}: every weight must be above 0")
    total = float(values.sum())
    if abs(total - 1) > 1e-6:
        log.warning("object.occupancies: %s sum to %g; divided by their sum", _listed(values), total)
    return values / total


def slice_gaps(thickness: float | Sequence[float] | None, slices: int) -> Any:
    """Slice thickness in angstrom: a float32 scalar, or (z-1,) where each gap has its own. ConfigError unless > 0."""
    key = "object.slice_thickness_angstrom"
    if thickness is None:
        if slices > 1:
            raise ConfigError(f"{key}: missing; {slices} slices need their distance in angstrom, for example 10.0")
        return np.float32(1.0)  # without a second slice nothing propagates
    values = np.asarray(thickness, np.float32)
    if not (np.isfinite(values).all() and (values > 0).all()):
        raise ConfigError(f"{key}: {thickness!r}: every thickness must be above 0 angstrom")
    if values.ndim == 0:
        return values[()]
    if values.shape != (slices - 1,):
        raise ConfigError(f"{key}: {values.size} values for {slices} slices, which have {slices - 1} gaps")
    return values


def _listed(values: NDArray[np.float64]) -> str:
    return ", ".join(f"{value:g}" for value in values)
