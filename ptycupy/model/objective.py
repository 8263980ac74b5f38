"""The loss of a batch and its gradients, in as many sub-batches as memory asks for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ptycupy.backends.interface import Array, Backend
from ptycupy.model.experiment import Experiment
from ptycupy.model.forward_model import Shared, Variables, constants, intensities, share, through, watch
from ptycupy.model.losses import UNIT, Batch, Scaled, ScaledLossOp, Term, misfit, scope_of
from ptycupy.model.parameters import Parameters
from ptycupy.model.ranks import ALONE, Ranks
from ptycupy.ops import Rescale
from ptycupy.tape import Tape, Variable


@dataclass(frozen=True)
class Loss:
    """A loss value: `terms` with their weights, and their sum."""

    total: float
    terms: dict[str, float]


@dataclass(frozen=True)
class Objective:
    """The weighted sum of loss terms of an experiment on one backend.

    `sub_batch` is how many patterns run at once (None = the whole batch); loss and gradients are exact either way. Of
    several ranks each runs its own patterns of a batch; the loss is the batch's on all of them, and its gradients are
    the sum of theirs.
    """

    backend: Backend
    experiment: Experiment
    terms: dict[str, Term]
    sub_batch: int | None = None
    ranks: Ranks = ALONE

    def accumulate(
        self,
        parameters: Parameters,
        gradients: Parameters,
        indices: NDArray[np.integer[Any]],
        values: Array,
        factor: float = 1.0,
        placed: Array | None = None,
    ) -> None:
        """Adds factor * dL/d(parameter) of the batch to every array in `gradients` that is not None, and each
        term's value, without weight and factor, to `values` [terms] float64.

        `placed` [n] int32 are the indices where they are on the device already, of one rank alone; then those of the
        host only say how many there are, and whoever calls has staged them.
        """
        with self.backend.arena():
            tape = Tape(self.backend)
            run = _Run(self, tape, watch(tape, parameters, gradients), values, factor, len(indices))
            if placed is None:
                own = self.ranks.own(np.ascontiguousarray(indices, np.int32))
                self.experiment.stage(own)
                run.divide(own)
            else:
                run.divide_placed(placed, placed)
            about_patterns = _about_patterns(self.terms)
            run.exactly([name for name in self.terms if name not in about_patterns])
            if in_one_pass(self.terms):
                run.to_a_scale(about_patterns[0])
            else:
                run.exactly(about_patterns)
            tape.backward([])

    def predict(self, parameters: Parameters, indices: NDArray[np.integer[Any]]) -> NDArray[Any]:
        """Model intensities [n, ky, kx] on the host, zero frequency in the corner."""
        out = [np.empty((0, *self.experiment.detector_shape), self.backend.real)]
        with self.backend.arena():
            tape = Tape(self.backend)
            shared = share(self.backend, tape, self.experiment, constants(tape, parameters))
            for part in split(indices, self.sub_batch):
                with self.backend.arena():
                    device = self.backend.asarray(part)
                    modelled = intensities(self.backend, tape, self.experiment, shared, device)
                    out.append(np.array(self.backend.to_host(modelled.value)))
        return np.concatenate(out)

    def measured(self, indices: NDArray[np.integer[Any]]) -> NDArray[Any]:
        """What the model is compared with [n, ky, kx] on the host, zero frequency in the corner; -1 = not counted."""
        out = [np.empty((0, *self.experiment.detector_shape), self.backend.real)]
        for part in split(indices, self.experiment.most_staged):
            self.experiment.stage(part)
            with self.backend.arena():
                places = self.backend.asarray(self.experiment.located(part))
                out.append(np.array(self.backend.to_host(self.experiment.measured(self.backend, places))))
        return np.concatenate(out)

    def loss(self, values: Iterable[float]) -> Loss:
        """The weighted loss from the terms' values [terms], as `accumulate` leaves them."""
        pairs = zip(self.terms.items(), values, strict=True)
        terms = {name: term.weight * float(value) for (name, term), value in pairs}
        return Loss(sum(terms.values()), terms)


def in_one_pass(terms: Mapping[str, Term]) -> bool:
    """Whether a batch that runs in parts goes forward and back once: its statistics are needed for a scale alone."""
    return [scope_of(terms[name]) for name in _about_patterns(terms)] == ["patterns, to a scale"]


def _about_patterns(terms: Mapping[str, Term]) -> list[str]:
    return [name for name, term in terms.items() if scope_of(term) != "object"]


def split(indices: NDArray[np.integer[Any]], size: int | None) -> list[NDArray[np.int32]]:
    """Parts of at most `size`, in order; one part where it is None."""
    ordered: NDArray[np.int32] = np.ascontiguousarray(indices, dtype=np.int32)
    step = max(1, len(ordered)) if size is None else size
    return [ordered[i : i + step] for i in range(0, len(ordered), step)]


Part = tuple[Array, Array]  # [n] int32: positions, and where their patterns are among those of this rank


class _Run:
    """One batch of `total` patterns on its way through an objective; `tape` holds what its parts have in common."""

    def __init__(
        self, objective: Objective, tape: Tape, variables: Variables, values: Array, factor: float, total: int
    ) -> None:
        self.objective, self.backend, self.terms = objective, objective.backend, objective.terms
        self.ranks = objective.ranks
        self.tape, self.variables = tape, variables
        self.values, self.factor, self.total = values, factor, total
        self.shared = share(self.backend, tape, objective.experiment, variables)
        self.parts: list[Part] = []

    def divide(self, own: NDArray[np.int32]) -> None:
        """This rank's positions of the batch, in parts of at most the sub-batch, in order."""
        indices = self.backend.asarray(own)
        places = self.objective.experiment.located(own)
        self.divide_placed(indices, indices if places is own else self.backend.asarray(places))

    def divide_placed(self, indices: Array, places: Array) -> None:
        """The same of arrays on the device."""
        step = self.objective.sub_batch or max(1, indices.size)
        self.parts = [(indices[i : i + step], places[i : i + step]) for i in range(0, indices.size, step)]

    def exactly(self, names: list[str]) -> None:
        """Terms of any kind: where the batch runs in parts, its statistics come from a forward pass beforehand."""
        if not names:
            return
        statistics = self._statistics(names) if self._divided else {}
        if not self.parts:
            self._constant_values(names, statistics)
            return
        through(self.shared, _opened)
        for number, part in enumerate(self.parts):
            with self.backend.arena():
                tape = Tape(self.backend)
                batch = self._batch(tape, self.variables, self.shared, part)
                seeds: list[tuple[Variable, float]] = []
                for name in names:
                    for op, given in self.terms[name].ops(batch, statistics.get(name)):
                        value = tape.apply(op, given)
                        seeds.append((value, self.factor * self.terms[name].weight))
                        if number == 0:
                            self.backend.add(self._value(name), value.value)
                tape.backward(seeds)

    def to_a_scale(self, name: str) -> None:
        """One ScaledLossOp: every part runs forward and back at once, and the scale follows when all are summed."""
        if len(self.parts) == 1 and self._at_once(name):
            return
        if not self._divided:
            self.exactly([name])
            return
        scale = self.backend.empty((1,), np.float64)
        shared = through(self.shared, lambda x: _opened(self.tape.apply(Rescale(self.backend, scale), x)))
        unit = self.backend.empty((len(UNIT),), np.float64)
        self.backend.fill(unit, 1.0)
        statistics = self.backend.zeros(unit.shape, np.float64)
        known: Scaled

        def count(found: Array) -> None:
            """Of a part, which goes on as if all were known already."""
            self.backend.add(statistics, found)
            self.backend.copy(found, unit)

        for part in self.parts:
            with self.backend.arena():
                tape = Tape(self.backend)
                batch = self._batch(tape, self.variables, shared, part)
                if way := misfit(self.terms[name], batch, count):
                    known, value = way[0], tape.apply(way[0], *way[1])
                else:
                    known, given = self._scaled(name, batch, unit)
                    self.backend.add(statistics, known.measure(given.value))
                    value = tape.apply(known, given)
                tape.backward([(value, self.factor * self.terms[name].weight)])
        if not self.parts:
            known, _ = self._scaled(name, self._constant_batch(self._stand_in), unit)
        self.ranks.add(self.backend, [statistics])
        self.backend.copy(scale, known.scale(statistics))
        self.backend.add(self._value(name), known.value(statistics))

    def _at_once(self, name: str) -> bool:
        """The term with all the way there as one op, where there is one."""
        several = self.ranks.size > 1
        through(self.shared, _opened)
        with self.backend.arena():
            tape = Tape(self.backend)
            batch = self._batch(tape, self.variables, self.shared, self.parts[0])
            way = misfit(self.terms[name], batch, self._add if several else None)
            if way is None:
                return False
            value = tape.apply(way[0], *way[1])
            self.backend.add(self._value(name), value.value)
            tape.backward([(value, self.factor * self.terms[name].weight)])
        return True

    def _scaled(self, name: str, batch: Batch, unit: Array) -> tuple[ScaledLossOp, Variable]:
        ((op, given),) = self.terms[name].ops(batch, [unit])
        return cast(ScaledLossOp, op), given

    def _add(self, statistics: Array) -> None:
        self.ranks.add(self.backend, [statistics])

    @property
    def _divided(self) -> bool:
        """Whether no pass over one part sees the whole batch."""
        return len(self.parts) > 1 or self.ranks.size > 1

    @property
    def _stand_in(self) -> Part:
        """A pattern for a rank that has none of the batch: it shows what statistics are like and counts for nothing."""
        here = np.zeros(1, np.int32) if self.ranks.here is None else self.ranks.here[:1]
        return self.backend.asarray(here), self.backend.asarray(np.zeros(1, np.int32))

    def _statistics(self, names: list[str]) -> dict[str, list[Array]]:
        sums: dict[str, list[Array]] = {}
        for part in self.parts or [self._stand_in]:
            with self.backend.arena():
                batch = self._constant_batch(part)
                for name in names:
                    found = [op.measure(given.value) for op, given in self.terms[name].ops(batch, None)]
                    if name not in sums:
                        sums[name] = [self.backend.zeros(x.shape, np.float64) for x in found]
                    for target, source in zip(sums[name], found, strict=True):
                        if self.parts:
                            self.backend.add(target, source)
        self.ranks.add(self.backend, [x for name in names for x in sums[name]])
        return sums

    def _constant_values(self, names: list[str], statistics: dict[str, list[Array]]) -> None:
        """The values of a batch of which this rank has no pattern, from its statistics."""
        batch = self._constant_batch(self._stand_in)
        for name in names:
            for op, given in self.terms[name].ops(batch, statistics[name]):
                self.backend.add(self._value(name), batch.tape.apply(op, given).value)

    def _constant_batch(self, part: Part) -> Batch:
        variables, shared = through(self.variables, self._constant), through(self.shared, self._constant)
        return self._batch(Tape(self.backend), variables, shared, part)

    def _batch(self, tape: Tape, variables: Variables, shared: Shared, part: Part) -> Batch:
        return Batch(
            backend=self.backend,
            tape=tape,
            experiment=self.objective.experiment,
            variables=variables,
            shared=shared,
            indices=part[0],
            places=part[1],
            total=self.total,
        )

    def _value(self, name: str) -> Array:
        number = list(self.terms).index(name)
        return self.values[number : number + 1]

    def _constant(self, variable: Variable) -> Variable:
        return self.tape.constant(variable.value)


def _opened(variable: Variable) -> Variable:
    """With a gradient that outlives the parts' arenas."""
    if variable.requires_grad:
        variable.accumulator()
    return variable
