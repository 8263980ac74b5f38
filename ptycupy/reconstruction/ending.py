"""The end of an iteration: whether it did harm, its constraints, corners after refined shifts, and what is read of it.

On a device that queues its work the host reads once, behind all of it: constraints are queued before the loss of their
iteration is known, and what they move in vain is put back. Before constraints that do not say that they are
`recordable`, on a device that does not queue, and where the object lies in tiles, the loss is read first.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.backends.interface import Array
from ptycupy.backends.together import ALIGNMENT, Block, room_for, to_host_together
from ptycupy.errors import DivergenceError
from ptycupy.model.objective import Loss
from ptycupy.reconstruction import teamwork
from ptycupy.reconstruction.canvas import make_room, move_corners, reanchor
from ptycupy.reconstruction.divergence import diverged, findings_of, measures
from ptycupy.reconstruction.rates import refined_fields
from ptycupy.reconstruction.record import mean_loss
from ptycupy.reconstruction.repeated import Repeated
from ptycupy.update.constraints import Constrain
from ptycupy.update.constraints.variations import normalise_variations

if TYPE_CHECKING:
    from ptycupy.reconstruction.engine import Engine

logger = logging.getLogger(__name__)
Ended = tuple[Loss, NDArray[Any], NDArray[Any]]  # the mean loss; thickness and tilts as they are now
Kind = tuple[tuple[int, ...], bool]  # which constraints run, and whether corners move


@dataclass
class Slot:
    """What ends of one kind write to, and what repeats them."""

    block: Block  # findings, losses, thickness, tilts, and the corners' limits where they move
    before: list[Array]  # shifts and corners as the batches left them, where corners move
    work: Repeated = field(default_factory=lambda: Repeated("these constraints"))


class Ending:
    """Ends the iterations of one engine."""

    def __init__(self) -> None:
        self._values: Array | None = None
        self._known: list[int] = []  # what recordings keep alive
        self._slots: dict[Kind, Slot] = {}

    def values(self, engine: Engine, batches: int) -> Array:
        """Zeros [batches, terms] float64 for losses, in the same place as long as the shape stays."""
        shape = (batches, len(engine.terms))
        if self._values is None or self._values.shape != shape:
            self._values = None  # before the new ones are there
            self._values = engine.backend.zeros(shape, np.float64)
        else:
            engine.backend.fill(self._values, 0.0)
        return self._values

    def end(self, engine: Engine, number: int, sizes: Sequence[int]) -> Ended | None:
        """Ends iteration `number`, whose last batches, of these sizes, have their losses in `values`.

        None where it diverged and the engine has gone back; DivergenceError where it must stop.
        """
        chosen = [(i, constrain) for i, (when, constrain) in enumerate(engine.constraints) if number in when]
        moves = bool(refined_fields(engine, number) & {"shifts", "scan_affine"})
        constraints = [constrain for _, constrain in chosen]
        at_once = engine.backend.queues and engine.tiles is None
        if at_once and all(getattr(constrain, "recordable", False) for constrain in constraints):
            slot = self._slot(engine, (tuple(i for i, _ in chosen), moves))
            self._queue(engine, slot, constraints, moves)
            host = slot.block.read(engine.backend)
            left = 3 if moves else 2  # of _finish
            loss, rest = _judged(engine, number, host[:-left], sizes, slot.before), host[-left:]
        else:
            loss, rest = _judged(engine, number, to_host_together(engine.backend, self._begin(engine)), sizes, []), []
            if loss is not None:
                rest = to_host_together(engine.backend, self._finish(engine, constraints, moves, []))
        if loss is None:
            return None
        thickness, tilts, *limits = rest
        if limits:
            make_room(engine, limits[0])
        return loss, thickness, tilts

    # --- pieces -----------------------------------------------------------------------------------------------
    def _begin(self, engine: Engine) -> list[Array]:
        """What tells whether the batches did harm."""
        assert self._values is not None
        return [*measures(engine), self._values]

    def _finish(
        self, engine: Engine, constraints: Sequence[Constrain], moves: bool, before: list[Array]
    ) -> list[Array]:
        """Queues what follows where they did not; what the host wants to know of it."""
        for kept, array in zip(before, _moved(engine) if before else [], strict=True):
            engine.backend.copy(kept, array)  # in front of constraints, which may move positions too
        for constrain in constraints:
            teamwork.constrain(engine, constrain)
        if engine.parameters.probe_variations is not None:
            normalise_variations(engine.backend, engine.parameters, engine.context.probe_intensity)
        limits = []
        if moves and engine.tiles is None:
            limits = [move_corners(engine)]
        elif moves:  # the tiles follow before they become alike
            reanchor(engine)
        teamwork.agree(engine)
        return [engine.parameters.slice_thickness, engine.parameters.tilts, *limits]

    def _queue(self, engine: Engine, slot: Slot, constraints: Sequence[Constrain], moves: bool) -> None:
        """All of it, recorded where the backend records and no other rank takes part."""
        backend = engine.backend

        def queue() -> None:
            slot.block.begin()
            for array in self._begin(engine):
                slot.block.put(backend, array)
            for array in self._finish(engine, constraints, moves, slot.before):
                slot.block.put(backend, array)

        if backend.graphs and engine.ranks.size == 1:
            slot.work.run(backend, queue, lambda: [*self._frozen(engine), slot.block.memory, *slot.before])
        else:
            queue()

    def _slot(self, engine: Engine, kind: Kind) -> Slot:
        known = list(map(id, self._frozen(engine)))
        if known != self._known:
            for slot in self._slots.values():
                slot.work.drop()
            self._slots, self._known = {}, known
        if kind not in self._slots:
            self._slots[kind] = self._new_slot(engine, moves=kind[1])
        return self._slots[kind]

    def _new_slot(self, engine: Engine, moves: bool) -> Slot:
        backend, parameters = engine.backend, engine.parameters
        fields = len(list(parameters.items()))
        size = room_for([self._values, parameters.shifts, parameters.slice_thickness, parameters.tilts])
        size += ALIGNMENT * (fields + 3)  # their counts, two powers and the limits
        before = [backend.zeros(array.shape, array.dtype) for array in _moved(engine)] if moves else []
        return Slot(Block(backend.zeros((size,), np.uint8)), before)

    def _frozen(self, engine: Engine) -> list[Any]:
        """All that recordings have in them and that others may replace."""
        things = [engine.experiment, engine.experiment.corners, engine.context, self._values]
        things += [array for _, array in engine.parameters.items()]
        return things + [constrain for _, constrain in engine.constraints]


def _moved(engine: Engine) -> list[Array]:
    return [engine.parameters.shifts, engine.experiment.corners]


def _judged(
    engine: Engine, number: int, found: Sequence[NDArray[Any]], sizes: Sequence[int], before: Sequence[Array]
) -> Loss | None:
    """The mean loss of an iteration from the values of _begin; None where the engine has gone back.

    Where it must stop, positions are as the batches left them: `before` are shifts and corners to put back, if any.
    """
    *measured, losses = found
    engine.batch_losses += [[size, *row] for size, row in zip(sizes, losses.tolist(), strict=False)]
    loss = mean_loss(engine)
    begun = engine._objective().loss(engine.batch_losses[0][1:])  # before the first step of the iteration
    try:
        if not diverged(engine, findings_of(engine, measured), loss.total, begun.total, number):
            return loss
    except DivergenceError:
        for array, kept in zip(_moved(engine) if before else [], before, strict=True):
            engine.backend.copy(array, kept)
        raise
    engine.kept[0].put_back(engine)
    engine.learning_rate_factor /= 2
    logger.warning("iteration %d diverged: back to %d, half the learning rates", number, engine.iteration)
    return None


__all__ = ["Ending"]
