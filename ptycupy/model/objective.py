"""The loss of a batch and its gradients, in as many sub-batches as memory asks for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ptycupy.backends.interface import Array, Backend
from ptycupy.model.experiment import Experiment
from ptycupy.model.forward_model import Shared, Variables, constants, intensities, share, through, watch
from ptycupy.model.losses import UNIT, Batch, ScaledLossOp, Term, misfit, scope_of
from ptycupy.model.parameters import Parameters
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

    `sub_batch` is how many patterns run at once (None = the whole batch); loss and gradients are exact either way.
    """

    backend: Backend
    experiment: Experiment
    terms: dict[str, Term]
    sub_batch: int | None = None

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

        `placed` [n] int32 are the indices where they are on the device already; then those of the host only say how
        many there are.
        """
        with self.backend.arena():
            tape = Tape(self.backend)
            if placed is None:
                placed = self.backend.asarray(np.ascontiguousarray(indices, np.int32))
            run = _Run(self, tape, watch(tape, parameters, gradients), placed, values, factor)
            about_object = [name for name, term in self.terms.items() if scope_of(term) == "object"]
            about_patterns = [name for name in self.terms if name not in about_object]
            run.exactly(about_object)
            if [scope_of(self.terms[name]) for name in about_patterns] == ["patterns, to a scale"]:
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
        with self.backend.arena():
            device = self.backend.asarray(np.ascontiguousarray(indices, np.int32))
            return np.array(self.backend.to_host(self.experiment.measured(self.backend, device)))

    def loss(self, values: Iterable[float]) -> Loss:
        """The weighted loss from the terms' values [terms], as `accumulate` leaves them."""
        pairs = zip(self.terms.items(), values, strict=True)
        terms = {name: term.weight * float(value) for (name, term), value in pairs}
        return Loss(sum(terms.values()), terms)


def split(indices: NDArray[np.integer[Any]], size: int | None) -> list[NDArray[np.int32]]:
    """Parts of at most `size`, in order; one part where it is None."""
    ordered: NDArray[np.int32] = np.ascontiguousarray(indices, dtype=np.int32)
    step = len(ordered) if size is None else size
    return [ordered[i : i + step] for i in range(0, len(ordered), step)]


class _Run:
    """One batch on its way through an objective; `tape` holds what its parts have in common."""

    def __init__(
        self,
        objective: Objective,
        tape: Tape,
        variables: Variables,
        indices: Array,
        values: Array,
        factor: float,
    ) -> None:
        self.objective, self.backend, self.terms = objective, objective.backend, objective.terms
        self.tape, self.variables, self.indices = tape, variables, indices
        self.values, self.factor = values, factor
        self.shared = share(self.backend, tape, objective.experiment, variables)

    def exactly(self, names: list[str]) -> None:
        """Terms of any kind: where the batch runs in parts, its statistics come from a forward pass beforehand."""
        if not names:
            return
        parts = self._parts()
        statistics = self._statistics(names, parts) if len(parts) > 1 else {}
        through(self.shared, _opened)
        for number, part in enumerate(parts):
            with self.backend.arena():
                tape = Tape(self.backend)
                batch = self._batch(tape, self.variables, self.shared, part)
                seeds: list[tuple[Variable, float]] = []
                for name in names:
                    for value in self._values(name, batch, statistics.get(name), len(names) * len(parts) == 1):
                        seeds.append((value, self.factor * self.terms[name].weight))
                        if number == 0:
                            self.backend.add(self._value(name), value.value)
                tape.backward(seeds)

    def _values(self, name: str, batch: Batch, statistics: list[Array] | None, alone: bool) -> list[Variable]:
        """Of a term; `alone`: no other looks at the patterns, and they are all here."""
        whole = misfit(self.terms[name], batch) if alone else None
        if whole is not None:
            return [whole]
        return [batch.tape.apply(op, given) for op, given in self.terms[name].ops(batch, statistics)]

    def to_a_scale(self, name: str) -> None:
        """One ScaledLossOp: every part runs forward and back at once, and the scale follows when all are summed."""
        parts = self._parts()
        if len(parts) == 1:
            self.exactly([name])
            return
        scale = self.backend.empty((1,), np.float64)
        shared = through(self.shared, lambda x: _opened(self.tape.apply(Rescale(self.backend, scale), x)))
        unit = self.backend.empty((len(UNIT),), np.float64)
        self.backend.fill(unit, 1.0)
        statistics = self.backend.zeros(unit.shape, np.float64)
        for part in parts:
            with self.backend.arena():
                tape = Tape(self.backend)
                batch = self._batch(tape, self.variables, shared, part)
                ((op, given),) = self.terms[name].ops(batch, [unit])
                self.backend.add(statistics, op.measure(given.value))
                tape.backward([(tape.apply(op, given), self.factor * self.terms[name].weight)])
        known = cast(ScaledLossOp, op)
        self.backend.copy(scale, known.scale(statistics))
        self.backend.add(self._value(name), known.value(statistics))

    def _parts(self) -> list[Array]:
        """The batch's indices in parts of at most the sub-batch, in order."""
        step = self.objective.sub_batch or self.indices.size
        return [self.indices[i : i + step] for i in range(0, self.indices.size, step)]

    def _statistics(self, names: list[str], parts: list[Array]) -> dict[str, list[Array]]:
        sums: dict[str, list[Array]] = {}
        variables, shared = through(self.variables, self._constant), through(self.shared, self._constant)
        for part in parts:
            with self.backend.arena():
                batch = self._batch(Tape(self.backend), variables, shared, part)
                for name in names:
                    found = [op.measure(given.value) for op, given in self.terms[name].ops(batch, None)]
                    if name not in sums:
                        sums[name] = [self.backend.zeros(x.shape, np.float64) for x in found]
                    for target, source in zip(sums[name], found, strict=True):
                        self.backend.add(target, source)
        return sums

    def _batch(self, tape: Tape, variables: Variables, shared: Shared, part: Array) -> Batch:
        return Batch(
            backend=self.backend,
            tape=tape,
            experiment=self.objective.experiment,
            variables=variables,
            shared=shared,
            indices=part,
            total=int(self.indices.size),
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
