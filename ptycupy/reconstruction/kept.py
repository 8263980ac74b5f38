"""A copy on the device of everything that an iteration changes, to go back to when the loss diverges."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from ptycupy.backends.interface import Array, Backend
from ptycupy.distributed.layout import Layout
from ptycupy.model.parameters import Parameters
from ptycupy.storage.snapshot import History
from ptycupy.update.optimizers import Moments

if TYPE_CHECKING:
    from ptycupy.reconstruction.engine import Engine


@dataclass(frozen=True)
class Kept:
    """An engine as it was at the start of an iteration."""

    parameters: Parameters
    corners: Array
    initial_positions: NDArray[Any]  # grow with the canvas
    moments: dict[str, Moments]
    history: History
    generator: dict[str, Any]
    iteration: int
    layout: Layout | None  # of the tiles

    @classmethod
    def of(cls, engine: Engine) -> Kept:
        backend = engine.backend
        return cls(
            parameters=Parameters.of({name: _copy(backend, array) for name, array in engine.parameters.items()}),
            corners=_copy(backend, engine.experiment.corners),
            initial_positions=engine.initial_positions,
            moments=_copies(backend, engine.moments),
            history=copy.deepcopy(engine.history),
            generator=copy.deepcopy(dict(engine.generator.bit_generator.state)),
            iteration=engine.iteration,
            layout=None if engine.tiles is None else engine.tiles.layout,
        )

    def put_back(self, engine: Engine) -> None:
        """The engine gets copies, so that this can be put back once more."""
        again = {name: _copy(engine.backend, array) for name, array in self.parameters.items()}
        engine.parameters = Parameters.of(again)
        engine.experiment.corners = _copy(engine.backend, self.corners)
        engine.initial_positions = self.initial_positions
        engine.moments = _copies(engine.backend, self.moments)
        engine.history = copy.deepcopy(self.history)
        engine.generator.bit_generator.state = copy.deepcopy(self.generator)
        engine.iteration = self.iteration
        if engine.tiles is not None and self.layout is not None:
            engine.tiles.layout = self.layout
        engine.batch_losses = []
        engine.kept = []


def _copy(backend: Backend, array: Array) -> Array:
    other = backend.zeros(array.shape, array.dtype)
    backend.copy(other, array)
    return other


def _copies(backend: Backend, moments: dict[str, Moments]) -> dict[str, Moments]:
    return {name: memory.mapped(lambda array: _copy(backend, array)) for name, memory in moments.items()}
