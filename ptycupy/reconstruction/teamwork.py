"""What ranks that share a reconstruction do together: gradients added up, rows of positions gathered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ptycupy.backends.interface import Array
from ptycupy.model.parameters import Parameters
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


def add_gradients(engine: Engine, gradients: Parameters) -> None:
    """The gradients of what all ranks have in common become those of the whole batch."""
    own = scattered(engine, gradients)
    engine.ranks.add(engine.backend, [array for name, array in gradients.items() if name not in own])


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
    own = scattered(engine, engine.parameters)
    engine.ranks.agree(engine.backend, [array for name, array in engine.parameters.items() if name not in own])
