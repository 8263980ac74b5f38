"""An engine whose object lies in tiles: begun, re-anchored, saved and restored."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.backends.exchange import to_numpy
from ptycupy.distributed.layout import divide, laid_out
from ptycupy.distributed.team import Team
from ptycupy.distributed.tiles import Tiles
from ptycupy.errors import ConfigError
from ptycupy.experiment.state import Problem, State
from ptycupy.model.parameters import owned
from ptycupy.update.algorithm import GradientSteps, make_algorithm
from ptycupy.update.constraints import in_order, make_constraint
from ptycupy.update.optimizers import is_elementwise, make_optimizer
from ptycupy.update.settings import Settings

if TYPE_CHECKING:
    from ptycupy.reconstruction.engine import Engine
    from ptycupy.storage.snapshot import Snapshot

logger = logging.getLogger(__name__)
KEY = "distributed.object: tiled"
VACUUM = {"object_amplitude": 1.0, "object_phase": 0.0}


def begin_tiles(team: Team, problem: Problem, state: State, settings: Settings) -> Tiles:
    """Deals the positions that take part out by where they are; ConfigError for settings that need the whole object."""
    reach = required_reach(settings)
    corners = to_numpy(problem.corners, "corners").astype(np.int64)
    given = problem.pattern_weights
    used = np.arange(len(corners)) if given is None else np.flatnonzero(np.broadcast_to(given, len(corners)))
    height, width = to_numpy(state.probe, "probe").shape[-2:]
    canvas = to_numpy(state.object_phase, "object_phase").shape[-2:]
    chosen, cores = divide(corners[used], (height, width), (canvas[0], canvas[1]), team.size)
    parts = [used[part].astype(np.int32) for part in chosen]
    team.give(parts)
    layout = laid_out(corners, parts, cores, (height, width), (canvas[0], canvas[1]), reach)
    sizes = layout.tiles[:, 1] - layout.tiles[:, 0]
    largest = sizes[np.argmax(sizes.prod(axis=1))]
    logger.info(
        "the object of %d x %d px lies in %d tiles of up to %d x %d px, %.0f %% of it", *canvas, team.size, *largest,
        100 * largest.prod() / (canvas[0] * canvas[1]),
    )  # fmt: skip
    return Tiles(team, parts, layout, (height, width), reach)


def required_reach(settings: Settings) -> int:
    """How far beyond a pixel constraints look, px; ConfigError for what looks at the whole object at once."""
    optimizer = make_optimizer(settings.optimizer)
    algorithm = make_algorithm(optimizer)
    if not (isinstance(algorithm, GradientSteps) and is_elementwise(algorithm)):
        raise ConfigError(
            f"optimizer.name: {type(optimizer).__name__.lower()} looks at the whole object at once, which is in no one "
            f"place with {KEY}; take adam or another that moves each pixel by itself, or distributed.object: shared"
        )
    reach = 0
    for constraint in in_order(settings.constraints):
        found = reach_of(make_constraint(constraint))
        if found is None:
            name = constraint.name if isinstance(constraint.name, str) else type(constraint.name).__name__
            raise ConfigError(
                f"constraints: {name} looks at the whole object at once, which is in no one place with "
                f"{KEY}; leave it out, or take distributed.object: shared"
            )
        reach = max(reach, found)
    return reach


def reach_of(constrain: Any) -> int | None:
    """How far beyond a pixel of the object a constraint looks, px; None where it does not say, or looks at all."""
    if "changes" in dir(constrain) and not set(constrain.changes) & VACUUM.keys():
        return 0
    found: int | None = getattr(constrain, "reach", None)
    return found


def cut(tiles: Tiles, problem: Problem, state: State) -> tuple[Problem, State]:
    """The same as this rank sees it: its tile of the object, and corners on it; those of other ranks may lie beyond."""
    nominal = problem.corners if problem.nominal_positions is None else problem.nominal_positions
    corners = to_numpy(problem.corners, "corners") - tiles.origin
    fields = {name: tiles.part(to_numpy(getattr(state, name), name)) for name in VACUUM}
    return replace(problem, corners=corners, nominal_positions=nominal), state.replace(**fields)


def follow(engine: Engine, before: NDArray[Any], after: NDArray[Any]) -> None:
    """On a canvas with so many px (y, x) more on each side, and with tiles that hold all windows as they are now."""
    tiles, backend = engine.tiles, engine.backend
    assert tiles is not None
    corners = backend.to_host(engine.experiment.corners) + tiles.origin + before
    tiles.layout = tiles.layout.grown(before, after)
    new = tiles.layout.holding(corners, tiles.parts, tiles.window, tiles.reach)
    engine.initial_positions = engine.initial_positions + before
    if new is tiles.layout:
        return
    for name, vacuum in VACUUM.items():
        moved = tiles.moved(backend.to_host(getattr(engine.parameters, name)), new, vacuum)
        setattr(engine.parameters, name, owned(backend, moved, backend.real))
        if name in engine.moments:
            engine.moments[name] = engine.moments[name].mapped(
                lambda array: owned(backend, tiles.moved(backend.to_host(array), new, 0.0), array.dtype)
            )
    tiles.layout = new
    engine.experiment.corners = backend.asarray(np.ascontiguousarray(corners - tiles.origin, np.int32))


def lay_out_again(engine: Engine, snapshot: Snapshot) -> None:
    """Tiles for a snapshot: positions stay with their ranks, wherever they have gone since the start."""
    tiles = engine.tiles
    assert tiles is not None
    height, width = snapshot.state.object_phase.shape[2:]
    before = np.rint(snapshot.initial_positions[0] - engine.initial_positions[0]).astype(np.int64)
    after = np.array([height, width]) - tiles.layout.canvas - before
    cores = tiles.layout.grown(before, after).cores
    corners = snapshot.corners.astype(np.int64)
    tiles.layout = laid_out(corners, tiles.parts, cores, tiles.window, (height, width), tiles.reach)


def cut_snapshot(tiles: Tiles, snapshot: Snapshot) -> Snapshot:
    """The snapshot as this rank sees it; see `cut`."""
    moments = dict(snapshot.moments)
    for name in VACUUM.keys() & moments.keys():
        arrays = {key: tiles.part(array) for key, array in moments[name].arrays.items()}
        moments[name] = replace(moments[name], arrays=arrays)
    fields = {name: tiles.part(getattr(snapshot.state, name)) for name in VACUUM}
    corners = snapshot.corners - tiles.origin
    return replace(snapshot, state=snapshot.state.replace(**fields), corners=corners, moments=moments)


def whole(engine: Engine, array: NDArray[Any]) -> NDArray[Any]:
    """An array of this rank's tile as that of the whole object, on rank 0."""
    assert engine.tiles is not None
    return engine.tiles.whole(array)


__all__ = ["VACUUM", "begin_tiles", "cut", "cut_snapshot", "follow", "lay_out_again", "reach_of", "whole"]
