"""Updates that are recorded once for each shape of a batch, and launched as one from then on.

What differs between updates of one shape (indices, learning rates with Adam's corrections) is a row of bytes in device
memory: many rows go there at once, and each is copied to where the recording reads it. Its losses are copied away.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.backends.interface import Array, Backend
from ptycupy.model.losses import TERMS
from ptycupy.model.parameters import Parameters
from ptycupy.reconstruction.rates import progress_of, rates_of
from ptycupy.reconstruction.repeated import Repeated
from ptycupy.update.algorithm import GradientSteps
from ptycupy.update.optimizers import Moments, Repeatable
from ptycupy.update.schedules import Progress

if TYPE_CHECKING:
    from ptycupy.reconstruction.engine import Engine

logger = logging.getLogger(__name__)
AHEAD = 64  # updates whose rows are uploaded at once, while the device works on those before
NUMBERS = 3  # of a Repeatable optimizer, for each field

Group = list[NDArray[np.int32]]
Planned = tuple[Group, dict[str, float]]  # the batches of an update, and learning rates above 0 by State field


@dataclass(frozen=True)
class Coming:
    """An update whose row is on the device."""

    group: Group
    shape: tuple[tuple[int, ...], tuple[str, ...]]  # lengths of the batches, fields that move
    steps: tuple[int, ...]  # of the optimizer, which these numbers are for
    row: Array


@dataclass
class Slot:
    """Where updates of one shape read and write, and the recording that does."""

    row: Array  # [bytes] uint8, which the next two are views of
    numbers: Mapping[str, Array]
    batches: Sequence[Array]
    values: Array  # [batches, terms] float64
    work: Repeated = field(default_factory=lambda: Repeated("such batches"))


class Graphs:
    """The recordings of one engine; they are forgotten as soon as anything that they have in them is another one."""

    def __init__(self, engine: Engine) -> None:
        reason = _obstacle(engine) if engine.backend.graphs else ""
        self.usable = engine.backend.graphs and not reason
        if reason:
            logger.info("backend.graphs: none, because %s", reason)
        self._gradients: Parameters | None = None
        self._known: list[int] = []  # what every recording keeps alive, so that no other array gets its id
        self._slots: dict[tuple[tuple[int, ...], tuple[str, ...]], Slot] = {}
        self._plan: Iterator[Planned] = iter(())
        self._coming: list[Coming] = []  # the next one last

    def gradients(self, engine: Engine, names: set[str]) -> Parameters:
        """Arrays for the gradients of these fields: where updates are recorded the same ones in every iteration."""
        kept = dict(self._gradients.items()) if self._gradients is not None else {}
        shapes = {name: array.shape for name, array in engine.parameters.items() if name in names}
        if not self.usable or {name: array.shape for name, array in kept.items()} != shapes:
            self._forget()
            kept = {}  # before the new ones are there
            self._gradients = None
            made = engine.parameters.zeros_like(engine.backend, names)
            if not self.usable:
                return made
            self._gradients = made
        assert self._gradients is not None
        return self._gradients

    def begin(self, engine: Engine, number: int, done: int, gradients: Parameters) -> None:
        """At the start of iteration `number`, of whose batches so many ran before it was stopped."""
        if self.usable:
            self._plan, self._coming = _planned(engine, number, done, gradients), []

    def end(self) -> None:
        """Forgets the plan, which knows the engine: only its owner may keep an engine, and so its data, alive."""
        self._plan, self._coming = iter(()), []

    def advance(self, engine: Engine, group: Group, values: Array, run: Callable[[Slot], None]) -> bool:
        """One update where it can be one that is recorded, `values` [batches, terms] included; whether it was.

        `run` queues the update as it reads and writes a slot.
        """
        if not self.usable:
            return False
        coming = self._next(engine, group)
        if coming is None:
            return False
        backend, slot = engine.backend, self._slot(engine, coming)
        backend.copy(slot.row, coming.row)
        slot.work.run(backend, lambda: run(slot), lambda: self._frozen(engine))
        backend.copy(values, slot.values)
        for name in coming.shape[1]:
            engine.moments[name].step += 1
        return True

    # --- pieces -----------------------------------------------------------------------------------------------
    def _next(self, engine: Engine, group: Group) -> Coming | None:
        """What is on the device of this update; None where it is not what was planned."""
        if not self._coming:
            self._coming = self._place(engine)[::-1]
        if not self._coming or not all(a is b for a, b in zip(self._coming[-1].group, group, strict=False)):
            return None
        coming = self._coming.pop()
        names = coming.shape[1]
        if tuple(self._memory(engine, name).step + 1 for name in names) != coming.steps:
            return None
        return coming

    def _place(self, engine: Engine) -> list[Coming]:
        """Uploads the rows of the next updates."""
        planned = list(islice(self._plan, AHEAD))
        if not planned:
            return []
        optimizer = _optimizer(engine)
        steps = {name: self._memory(engine, name).step for _, rates in planned for name in rates}
        rows: list[bytes] = []
        known: list[tuple[Group, tuple[tuple[int, ...], tuple[str, ...]], tuple[int, ...]]] = []
        for group, rates in planned:
            steps.update({name: steps[name] + 1 for name in rates})
            numbers = [optimizer.numbers(steps[name], rate) for name, rate in rates.items()]
            rows.append(np.array(numbers, np.float64).tobytes() + np.concatenate(group).astype(np.int32).tobytes())
            lengths, names = tuple(len(batch) for batch in group), tuple(rates)
            known.append((group, (lengths, names), tuple(steps[name] for name in names)))
        table = engine.backend.asarray(np.frombuffer(b"".join(rows), np.uint8))
        ends = np.cumsum([len(row) for row in rows])
        places = [table[end - len(row) : end] for row, end in zip(rows, ends.tolist(), strict=True)]
        return [Coming(*what, place) for what, place in zip(known, places, strict=True)]

    @staticmethod
    def _memory(engine: Engine, name: str) -> Moments:
        """What the optimizer remembers of a field, before its first step too."""
        if name not in engine.moments:
            optimizer = _optimizer(engine)
            engine.moments[name] = optimizer.init(engine.backend, getattr(engine.parameters, name))
        return engine.moments[name]

    def _slot(self, engine: Engine, coming: Coming) -> Slot:
        known = [engine.sub_batch, *map(id, self._frozen(engine))]
        if known != self._known:
            self._forget()
            self._known = known
        slot = self._slots.get(coming.shape)
        if slot is None:
            slot = self._slots[coming.shape] = _new_slot(engine.backend, coming, len(engine.terms))
        return slot

    def _frozen(self, engine: Engine) -> list[Any]:
        """All that recordings have in them and that others may replace."""
        assert self._gradients is not None
        experiment = engine.experiment
        things = [
            experiment,
            experiment.patterns,
            experiment.slots,
            experiment.corners,
            engine.algorithm,
            *engine.terms.values(),
        ]
        things += [array for _, array in engine.parameters.items()]
        things += [array for _, array in self._gradients.items()]
        for moments in engine.moments.values():
            things += moments.arrays.values()
        return things

    def _forget(self) -> None:
        for slot in self._slots.values():
            slot.work.drop()
        self._slots, self._known = {}, []


def _planned(engine: Engine, number: int, done: int, gradients: Parameters) -> Iterator[Planned]:
    """The updates of the pending batches, in order, when their turn is near."""
    pending, size = list(engine.pending), engine.settings.gradient_accumulation
    for first in range(0, len(pending), size):
        progress = progress_of(engine, number, done + first, done + len(pending))
        yield pending[first : first + size], rates_of(engine, gradients, progress)


def _optimizer(engine: Engine) -> Repeatable:
    """That of an engine whose updates can be recorded."""
    assert isinstance(engine.algorithm, GradientSteps)
    assert isinstance(engine.algorithm.optimizer, Repeatable)
    return engine.algorithm.optimizer


def _obstacle(engine: Engine) -> str:
    """Why the updates of this engine cannot be recorded; empty where they can."""
    algorithm = engine.algorithm
    if engine.ranks.size > 1:
        return "several ranks meet in every update"
    if not isinstance(algorithm, GradientSteps):
        return f"{type(algorithm).__name__} decides on the host"
    if not isinstance(algorithm.optimizer, Repeatable):
        return f"{type(algorithm.optimizer).__name__} takes what differs between its steps from the host"
    if engine.plan.momenta(engine.settings.learning_rates, Progress(1, 0, 1, ())):
        return "a schedule moves the momentum"
    for name, term in engine.terms.items():
        if type(term) not in TERMS.values() and not getattr(term, "recordable", False):
            return f"losses.{name} does not say that it is `recordable`"
    return ""


def _new_slot(backend: Backend, coming: Coming, terms: int) -> Slot:
    lengths, names = coming.shape
    row = backend.zeros((int(coming.row.size),), np.uint8)
    first = 8 * NUMBERS * len(names)
    numbers = row[:first].view(np.float64).reshape(len(names), NUMBERS)
    indices = row[first:].view(np.int32)
    ends = np.cumsum(lengths).tolist()
    batches = [indices[end - length : end] for length, end in zip(lengths, ends, strict=True)]
    values = backend.zeros((len(lengths), terms), np.float64)
    return Slot(row, {name: numbers[i] for i, name in enumerate(names)}, batches, values)
