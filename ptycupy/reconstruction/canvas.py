"""Re-anchoring: whole-pixel parts of refined shifts move into the corners, and the canvas grows where needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.backends.interface import Array
from ptycupy.model.parameters import owned
from ptycupy.reconstruction.tiling import follow

if TYPE_CHECKING:
    from ptycupy.reconstruction.engine import Engine

MARGIN = 8  # px added beyond the outermost window, so that the canvas does not grow every iteration


def reanchor(engine: Engine) -> NDArray[Any] | None:
    """corner += round(shift), shift -= round(shift); optimizer moments stay. A probe then never wraps far.

    Returns the px (y, x) that the canvas grew by before its first pixel; None where it did not grow, or lies in tiles.

    scan_affine goes on acting on the nominal positions, which stay as they are: what is rounded is the shift and the
    affine displacement together, and what is subtracted is taken from the shift.
    """
    return make_room(engine, engine.backend.to_host(move_corners(engine)))


def move_corners(engine: Engine) -> Array:
    """The first part of it, of which the host need know nothing: the corners' limits [4] afterwards."""
    backend, parameters, corners = engine.backend, engine.parameters, engine.experiment.corners
    if parameters.scan_affine is None:
        return backend.reanchor(parameters.shifts, corners)
    shape, real = parameters.shifts.shape, parameters.shifts.dtype
    everyone = engine.context.once("everyone", lambda: backend.asarray(np.arange(shape[0], dtype=np.int32)))
    with backend.arena():
        moved = backend.scan_affine_forward(
            parameters.shifts, engine.experiment.nominal, everyone, parameters.scan_affine
        )
        whole = backend.empty(shape, real)
        backend.copy(whole, moved)
        limits = backend.reanchor(moved, corners)
        # What is left after rounding, and the difference to it, are floating-point numbers themselves: all is exact.
        backend.scale(whole, -1.0)
        backend.add(whole, moved)
        backend.add(parameters.shifts, whole)
    return limits


def make_room(engine: Engine, limits: NDArray[Any]) -> NDArray[Any] | None:
    """The second part: a canvas that has room for corners within these limits [4]."""
    bounds = limits.astype(int)
    canvas, window = np.asarray(engine.parameters.canvas), np.asarray(engine.parameters.window)
    if engine.tiles is not None:
        canvas, bounds = np.asarray(engine.tiles.layout.canvas), bounds + np.tile(engine.tiles.origin, 2)
    before = np.where(bounds[:2] < 0, MARGIN - bounds[:2], 0)
    over = bounds[2:] + window - canvas
    after = np.where(over > 0, over + MARGIN, 0)
    if engine.tiles is not None:
        follow(engine, before, after)
        return None
    if not (before.any() or after.any()):
        return None
    grow(engine, before, after)
    return before


def grow(engine: Engine, before: NDArray[Any], after: NDArray[Any]) -> None:
    """Vacuum (amplitude 1, phase 0) around the object; corners move with it."""
    backend, canvas = engine.backend, engine.parameters.canvas

    def padded(array: Array, value: float) -> Array:
        host = backend.to_host(array)
        widths = [
            (int(first), int(last)) if length == old else (0, 0)  # of a factored moment only one axis is the canvas's
            for length, old, first, last in zip(host.shape[2:], canvas, before, after, strict=True)
        ]
        return owned(backend, np.pad(host, [(0, 0), (0, 0), *widths], constant_values=value), host.dtype)

    for name, vacuum in (("object_amplitude", 1.0), ("object_phase", 0.0)):
        setattr(engine.parameters, name, padded(getattr(engine.parameters, name), vacuum))
        if name in engine.moments:
            engine.moments[name] = engine.moments[name].mapped(lambda array: padded(array, 0.0))
    move(engine, before)


def move(engine: Engine, before: NDArray[Any]) -> None:
    """Corners and first positions on a canvas that has grown by so many px (y, x) before its first pixel."""
    engine.context.forget()
    corners = engine.backend.to_host(engine.experiment.corners) + before.astype(np.int32)
    engine.experiment.corners = engine.backend.asarray(np.ascontiguousarray(corners, dtype=np.int32))
    engine.initial_positions = engine.initial_positions + before
