"""What ranks that share a reconstruction do together: gradients added up, rows of positions gathered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.backends.interface import Array
from ptycupy.errors import DataError
from ptycupy.model.parameters import Parameters
from ptycupy.reconstruction.tiling import VACUUM, reach_of
from ptycupy.update.constraints import Constrain
from ptycupy.update.optimizers import is_elementwise

if TYPE_CHECKING:
    from ptycupy.reconstruction.engine import Engine

OF_POSITIONS = ("shifts", "tilts", "pattern_intensity", "descan", "variation_weights")


def scattered(engine: Engine, parameters: Parameters) -> dict[str, Array]:
    """The fields that are there and of which each rank refines the rows of its own positions only."""
    if engine.ranks.size == 1 or not is_elementwise(engine.algorithm):
        return {}
    count = engine.experiment.positions
    return {name: a for name, a in parameters.items() if name in OF_POSITIONS and a.shape[0] == count}


def tiled(engine: Engine) -> tuple[str, ...]:
    """The fields of which each rank has a tile."""
    return () if engine.tiles is None else tuple(VACUUM)


def add_gradients(engine: Engine, gradients: Parameters) -> None:
    """The gradients of what all ranks have in common become those of the whole batch."""
    backend, tiles = engine.backend, engine.tiles
    apart = {*scattered(engine, gradients), *tiled(engine)}
    fields = [array for name, array in gradients.items() if name in tiled(engine)]
    # Copied before they meet: whoever has no memory for it can still say so.
    borders = [] if tiles is None else [tiles.borders(backend, field) for field in fields]
    engine.ranks.add(backend, [array for name, array in gradients.items() if name not in apart])
    if tiles is not None:
        for field, border in zip(fields, borders, strict=True):
            tiles.add(backend, field, border)


def gather_rows(engine: Engine) -> None:
    """Every rank gets the present parameters of all positions, where some were refined since the last time."""
    if engine.scattered:
        own = scattered(engine, engine.parameters)
        engine.ranks.gather(engine.backend, [own[name] for name in sorted(engine.scattered)])
        engine.scattered = set()


def gather_moments(engine: Engine) -> None:
    """The same for what the optimizer remembers of them."""
    for name in sorted(scattered(engine, engine.parameters).keys() & engine.moments.keys()):
        count = engine.experiment.positions
        rows = [array for _, array in sorted(engine.moments[name].arrays.items()) if array.shape[:1] == (count,)]
        engine.ranks.gather(engine.backend, rows)


def agree(engine: Engine) -> None:
    """What the ranks have in common becomes that of rank 0: constraints round differently on different machines."""
    apart = {*scattered(engine, engine.parameters), *tiled(engine)}
    engine.ranks.agree(engine.backend, [array for name, array in engine.parameters.items() if name not in apart])
    if engine.tiles is not None:
        engine.tiles.refresh(engine.backend, [getattr(engine.parameters, name) for name in tiled(engine)])


def constrain(engine: Engine, apply: Constrain) -> None:
    """One constraint; what it left at the edges of a tile, where it did not see enough, comes from where it did."""
    context = replace(engine.context, corners=engine.experiment.corners, tiles=engine.tiles)
    apply(engine.backend, engine.parameters, context)
    if engine.tiles is not None and reach_of(apply):
        engine.tiles.refresh(engine.backend, [getattr(engine.parameters, name) for name in tiled(engine)])


def of_all(
    engine: Engine, wanted: NDArray[np.int32], find: Callable[[NDArray[np.int32]], NDArray[Any]]
) -> NDArray[Any]:
    """find(positions) [n, ...] of these positions on every rank, each found by the rank that has its pattern.

    DataError for positions that no rank has.
    """
    own = engine.ranks.own(wanted)
    mine = find(own)
    if engine.ranks.size == 1:
        return mine
    order, rows = np.argsort(wanted), np.empty((len(wanted), *mine.shape[1:]), mine.dtype)
    missing = np.ones(len(wanted), np.bool_)
    for positions, values in engine.ranks.exchange((own, mine)):
        places = order[np.searchsorted(wanted, positions, sorter=order)]
        rows[places], missing[places] = values, False
    if missing.any():
        raise DataError(f"indices: no rank has positions {wanted[missing][:5].tolist()}: their weight is 0")
    return rows
