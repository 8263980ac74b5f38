"""The engine: iterations of batches, optimizer steps and constraints on one backend."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycupy import backends
from ptycupy.backends.exchange import to_numpy
from ptycupy.backends.interface import Backend
from ptycupy.distributed.tiles import Tiles
from ptycupy.errors import DataError
from ptycupy.experiment.seeds import generator
from ptycupy.experiment.state import Problem, State
from ptycupy.model.experiment import nominal_positions, place
from ptycupy.model.losses import make_terms
from ptycupy.model.objective import Loss, Objective, in_one_pass
from ptycupy.model.parameters import centred, download, is_scalar, upload
from ptycupy.model.ranks import ALONE, Ranks
from ptycupy.reconstruction.batches import make_groups
from ptycupy.reconstruction.callbacks import Callback
from ptycupy.reconstruction.constraints import constraints_of
from ptycupy.reconstruction.ending import Ending
from ptycupy.reconstruction.fingerprint import data_fingerprint
from ptycupy.reconstruction.graphs import Graphs
from ptycupy.reconstruction.kept import Kept
from ptycupy.reconstruction.limits import Limits
from ptycupy.reconstruction.memory import patterns_that_fit
from ptycupy.reconstruction.rates import progress_of, rate, refined_fields
from ptycupy.reconstruction.record import record
from ptycupy.reconstruction.residency import Residency, hold
from ptycupy.reconstruction.resume import restore, take_snapshot
from ptycupy.reconstruction.teamwork import constrain, gather_rows, of_all, tiled
from ptycupy.reconstruction.tiling import cut, whole
from ptycupy.reconstruction.updates import update
from ptycupy.storage.snapshot import Change, History, Snapshot
from ptycupy.update.algorithm import make_algorithm
from ptycupy.update.constraints import Context, make_constraint
from ptycupy.update.optimizers import Moments, make_optimizer
from ptycupy.update.schedules import Plan, Progress, make_schedule
from ptycupy.update.settings import Constraint, Settings


class Engine:
    """Reconstructs a State from a Problem.

    `backend` is a name ("auto", "cpu", "cuda", "cuda:1"), or a Backend, whose precision then counts and not `dtype`.
    `residency` says where the patterns lie and how much memory may be taken; by default whatever has room.
    The arrays given are copied, never changed. `ranks` are those that share the work: each of them makes an Engine of
    the same problem, state and settings, and whatever the engine does, all of them do. With `tiles` each rank has its
    tile of the object only, and rank 0 alone looks at the whole object in `state`.
    Raises ConfigError, DataError or ResourceError for what cannot be run.
    """

    def __init__(
        self,
        problem: Problem,
        state: State,
        settings: Settings,
        backend: str | Backend = "auto",
        dtype: str = "float32",
        ranks: Ranks = ALONE,
        residency: Residency | None = None,
        tiles: Tiles | None = None,
    ) -> None:
        self.settings = settings
        self.ranks = ranks
        self.backend: Backend = backends.select(backend, dtype) if isinstance(backend, str) else backend
        self.tiles = tiles
        corners = problem.corners
        if tiles is not None:
            problem, state = cut(tiles, problem, state)
        self.parameters = upload(self.backend, state)
        residency = residency or Residency()
        together = settings.batch_size * settings.gradient_accumulation
        keep = partial(hold, residency, self.parameters, together, ranks.sharing)
        self.experiment = place(self.backend, problem, self.parameters, ranks.here, keep)
        self.terms = make_terms(settings.losses)
        self.algorithm = make_algorithm(make_optimizer(settings.optimizer))
        own = {name: make_schedule(schedule) for name, schedule in settings.schedules.items()}
        self.plan = Plan(make_schedule(settings.schedule), own)
        self.constraints = constraints_of(settings, self.parameters)
        self.limits = Limits()
        self.context = Context.of(self.backend, problem, self.parameters, self.experiment.corners)
        self.used = self.experiment.used
        if not self.used.size:
            raise DataError("pattern_weights: no position is left to reconstruct")
        self.initial_positions = to_numpy(corners).astype(float) + to_numpy(state.shifts)
        self.nominal_positions = nominal_positions(problem)
        self.moments: dict[str, Moments] = {}
        self.history = History()
        self.changes: list[Change] = []  # to the configuration in the course of the run
        self.iteration = 0
        self.stop_requested = False
        self.learning_rate_factor = 1.0
        self.generator = generator(settings.seed, "batches")
        refined = [name for name, rate in settings.learning_rates.items() if rate > 0]
        self.sub_batch = settings.sub_batch or patterns_that_fit(
            self.backend, self.parameters, self.experiment, refined, ranks.sharing, residency,
            in_one_pass=in_one_pass(self.terms),
        )  # fmt: skip
        self.pending: list[NDArray[np.int32]] = []
        self.batch_losses: list[list[float]] = []
        self.kept: list[Kept] = []
        self.graphs = Graphs(self)
        self.ending = Ending()
        self.scattered: set[str] = set()  # fields of which other ranks have refined rows since they were gathered
        self._problem = problem
        self._scalar_thickness = is_scalar(state.slice_thickness)

    # --- what others look at --------------------------------------------------------------------------------
    @property
    def state(self) -> State:
        """The present State as NumPy arrays."""
        gather_rows(self)
        found = download(self.backend, self.parameters, self._scalar_thickness)
        return found.replace(**{name: whole(self, getattr(found, name)) for name in tiled(self)})

    @property
    def problem(self) -> Problem:
        """The Problem with its present corners: positions are re-anchored as they are refined."""
        corners = np.array(self.backend.to_host(self.experiment.corners))
        if self.tiles is not None:
            corners = (corners + self.tiles.origin).astype(np.int32)
        return replace(self._problem, corners=corners, nominal_positions=self.nominal_positions)

    def predict(self, indices: Sequence[int] | NDArray[np.integer[Any]]) -> NDArray[Any]:
        """Model intensities [n, ky, kx] in the units of the scaled patterns, beam in the centre."""
        wanted, objective = self.experiment.batch(indices), self._objective()
        return centred(of_all(self, wanted, partial(objective.predict, self.parameters)))

    def measured(self, indices: Sequence[int] | NDArray[np.integer[Any]]) -> NDArray[Any]:
        """Measured intensities [n, ky, kx] as the model is compared with them, beam in the centre; -1 = not counted."""
        return centred(of_all(self, self.experiment.batch(indices), self._objective().measured))

    @cached_property
    def fingerprint(self) -> str:
        """What tells these patterns from others, computed once; set anew where some have been added."""
        return data_fingerprint(self._problem.patterns)

    def snapshot(self, config: str = "") -> Snapshot:
        """Everything that it takes to go on later; `config` is the YAML that made this engine."""
        return take_snapshot(self, config)

    def restore(self, snapshot: Snapshot) -> None:
        """Go on where the snapshot was taken; Problem and Settings must be the same."""
        restore(self, snapshot)

    def save(self, path: str | Path) -> None:
        """Write result.h5 atomically."""
        from ptycupy.storage.result import save_result

        save_result(Path(path), take_snapshot(self))

    # --- the algorithm ----------------------------------------------------------------------------------------
    def run(self, iterations: int, callbacks: Sequence[Callback] = ()) -> None:
        """Run that many more iterations, or until `stop_requested`, which lets the batch finish.

        Raises DivergenceError where the loss is not finite (or explodes, if settings.on_divergence says stop). The
        arrays then are those that diverged, with or without constraints; what callbacks saved before is what is left.
        """
        last = self.iteration + iterations
        try:
            while self.iteration < last and not self._stopping():
                self._iterate(callbacks)
        finally:
            self.experiment.rest()
            for callback in callbacks:
                callback.on_stop(self)

    def step(self, indices: Sequence[int] | NDArray[np.integer[Any]]) -> Loss:
        """One optimizer step on one batch, without constraints; the loss before the step."""
        batch = self.experiment.batch(indices, least=1)
        gradients = self.parameters.zeros_like(self.backend, refined_fields(self, self.iteration + 1))
        values = self.backend.zeros((1, len(self.terms)), np.float64)
        progress = Progress(self.iteration + 1, 0, 1, self.history.total)
        update(self, [batch], gradients, values, progress, last=True)
        return self._objective().loss(self.backend.to_host(values)[0])

    def constrain(self, name: str, **parameters: Any) -> None:
        """Apply one constraint now, as an iteration's end would."""
        constrain(self, make_constraint(Constraint(name, **parameters)))

    def _iterate(self, callbacks: Sequence[Callback]) -> None:
        number = self.iteration + 1
        start = time.perf_counter()
        if self.settings.on_divergence == "halve_lr" and not self.batch_losses:
            # Two are kept, because the damage shows in the loss only after the step that did it.
            self.kept = [*self.kept[-1:], Kept.of(self)]
        if not self.pending:
            self.pending, self.batch_losses = self._draw(), []
        self.experiment.expect([self.ranks.own(b) for b in self.pending], self.settings.gradient_accumulation)
        done, batches = len(self.batch_losses), len(self.pending) + len(self.batch_losses)
        values = self.ending.values(self, len(self.pending))
        sizes = [len(batch) for batch in self.pending]
        gradients = self.graphs.gradients(self, refined_fields(self, number))
        self.graphs.begin(self, number, done, gradients)
        ran = 0
        while self.pending and not self._stopping():
            group = self.pending[: self.settings.gradient_accumulation]
            progress = progress_of(self, number, done + ran, batches)
            last = len(group) == len(self.pending)
            update(self, group, gradients, values[ran : ran + len(group)], progress, last=last)
            del self.pending[: len(group)]
            ran += len(group)
            for callback in callbacks:
                callback.on_batch(self, done + ran, batches)
        self.graphs.end()
        gather_rows(self)
        if self.pending:
            rows = self.backend.to_host(values)[:ran].tolist()
            self.batch_losses += [[size, *row] for size, row in zip(sizes, rows, strict=False)]
            return
        ended = self.ending.end(self, number, sizes)
        if ended is None:
            return
        loss, thickness, tilts = ended
        record(self, number, loss, time.perf_counter() - start, thickness, tilts)
        for callback in callbacks:
            callback.on_iteration(self)

    def _stopping(self) -> bool:
        """Whether some rank is asked to stop, so that all do at the same place."""
        self.stop_requested = self.ranks.any(self.stop_requested)
        return self.stop_requested

    def _draw(self) -> list[NDArray[np.int32]]:
        positions = self.initial_positions[self.used]
        groups = make_groups(positions, self.settings.batch_size, self.settings.grouping, self.generator)
        return [self.used[group] for group in groups]

    def learning_rate(self, name: str, iteration: int) -> float:
        """The learning rate of a State field at the start of an iteration; 0 where it is fixed."""
        batches = -(-len(self.used) // self.settings.batch_size)
        return rate(self, name, progress_of(self, iteration, 0, batches))

    # --- pieces -----------------------------------------------------------------------------------------------
    def _objective(self) -> Objective:
        return Objective(self.backend, self.experiment, self.terms, self.sub_batch, self.ranks)
