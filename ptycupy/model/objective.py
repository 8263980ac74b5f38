"""The loss of a batch and its gradients, in as many sub-batches as memory asks for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.backends.interface import Array, Backend
from ptycupy.model.experiment import Experiment
from ptycupy.model.forward_model import Variables, constants, intensities, watch
from ptycupy.model.losses import Batch, Term
from ptycupy.model.parameters import Parameters
from ptycupy.tape import Tape, Variable


@dataclass(frozen=True)
class Loss:
    """A loss value: `terms` with their weights, and their sum."""

    total: float
    terms: dict[str, float]


@dataclass(frozen=True)
class Objective:
    """The weighted sum of loss terms of an experiment on one backend."""

    backend: Backend
    experiment: Experiment
    terms: dict[str, Term]
    sub_batch: int | None = None  # patterns at once; None = the whole batch. The loss is exact either way.

    def accumulate(
        self,
        parameters: Parameters,
        gradients: Parameters,
        indices: NDArray[np.integer[Any]],
        values: Array,
        factor: float = 1.0,
    ) -> None:
        """Adds factor * dL/d(parameter) of the batch to every array in `gradients` that is not None, and each
        term's value, without weight and factor, to `values` [terms] float64."""
        parts = self._split(indices)
        statistics = self._statistics(parameters, parts, len(indices)) if len(parts) > 1 else None
        for number, part in enumerate(parts):
            with self.backend.arena():
                tape = Tape(self.backend)
                batch = self._batch(tape, watch(tape, parameters, gradients), part, len(indices))
                seeds: list[tuple[Variable, float]] = []
                for i, (name, term) in enumerate(self.terms.items()):
                    known = None if statistics is None else statistics[name]
                    for op, given in term.ops(batch, known):
                        value = tape.apply(op, given)
                        seeds.append((value, factor * term.weight))
                        if number == 0:
                            self.backend.add(values[i : i + 1], value.value)
                tape.backward(seeds)

    def predict(self, parameters: Parameters, indices: NDArray[np.integer[Any]]) -> NDArray[Any]:
        """Model intensities [n, ky, kx] on the host, zero frequency in the corner."""
        out = [np.empty((0, *self.experiment.detector_shape), self.backend.real)]
        for part in self._split(indices):
            with self.backend.arena():
                tape = Tape(self.backend)
                device = self.backend.asarray(part)
                modelled = intensities(self.backend, tape, self.experiment, constants(tape, parameters), device)
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

    def _statistics(self, parameters: Parameters, parts: list[NDArray[np.int32]], total: int) -> dict[str, list[Array]]:
        """The whole batch's statistics by a forward pass over its parts, so that each part's gradient is exact."""
        sums: dict[str, list[Array]] = {}
        for part in parts:
            with self.backend.arena():
                tape = Tape(self.backend)
                batch = self._batch(tape, constants(tape, parameters), part, total)
                for name, term in self.terms.items():
                    found = [op.measure(given.value) for op, given in term.ops(batch, None)]
                    if name not in sums:
                        sums[name] = [self.backend.zeros(x.shape, np.float64) for x in found]
                    for target, source in zip(sums[name], found, strict=True):
                        self.backend.add(target, source)
        return sums

    def _batch(self, tape: Tape, variables: Variables, part: NDArray[np.int32], total: int) -> Batch:
        e, backend = self.experiment, self.backend
        indices = backend.asarray(part)
        return Batch(
            backend=backend,
            tape=tape,
            experiment=e,
            variables=variables,
            intensity=intensities(backend, tape, e, variables, indices),
            measured=e.measured(backend, indices),
            indices=indices,
            total=total,
        )

    def _split(self, indices: NDArray[np.integer[Any]]) -> list[NDArray[np.int32]]:
        ordered: NDArray[np.int32] = np.ascontiguousarray(indices, dtype=np.int32)
        size = len(indices) if self.sub_batch is None else self.sub_batch
        return [ordered[i : i + size] for i in range(0, len(ordered), size)]
