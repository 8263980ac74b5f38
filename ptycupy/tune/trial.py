"""One trial: a short reconstruction with the trial's values, watched by the study's pruner."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ptycupy.backends.interface import Backend
from ptycupy.config.schema import Config
from ptycupy.config.tuning import Tune
from ptycupy.errors import ConfigError, DivergenceError
from ptycupy.experiment.selection import only, select_positions, with_selection
from ptycupy.experiment.state import Problem, State
from ptycupy.reconstruction.configured import settings_from
from ptycupy.reconstruction.engine import Engine
from ptycupy.tune.data import SharedData
from ptycupy.tune.objectives import held_out, mean_held_out_loss, summed_phase, values

HALVES = ("even", "odd")
BLIND = {"contrast", "ring_correlation"}  # objectives that an object of next to nothing may win
Watch = Callable[[int, float], bool]  # (iteration, value) -> whether to end the trial now


@dataclass(frozen=True)
class Outcome:
    """What a trial came to."""

    values: list[float]  # the objectives
    iterations: int
    pruned: bool
    phase: NDArray[np.float32]  # [y, x] rad, summed over depth, in the scanned field; of the even half of two
    pixel_size: float | tuple[float, float] | None  # angstrom


@dataclass
class Attempt:
    """A trial under way; setting `stop_requested` lets the batch finish and ends it."""

    engines: list[Engine] = field(default_factory=list)
    _stop: bool = False

    @property
    def stop_requested(self) -> bool:
        return self._stop

    @stop_requested.setter
    def stop_requested(self, value: bool) -> None:
        self._stop = value
        for engine in self.engines:
            engine.stop_requested = value


class NoGain(DivergenceError):
    """The trial came to its end without having found anything."""


class Stopped(Exception):
    """The trial was asked to stop before it came to an end."""


def run_trial(
    config: Config, tune: Tune, shared: SharedData, iterations: int, attempt: Attempt, watch: Watch | None
) -> Outcome:
    """Reconstructs what `config` describes for so many iterations; `watch` sees the only objective as it goes.

    Raises Stopped, and the errors of `ptycupy.errors` for a trial that cannot be run or diverges.
    """
    problem, state = shared.problem(config)
    gain = tune.required_gain if BLIND & set(tune.objectives) else None
    kept: NDArray[np.int32] | None = None
    if "held_out_loss" in tune.objectives or gain is not None:
        kept = held_out(problem, tune.held_out_fraction, tune.seed)
    if kept is not None and "held_out_loss" in tune.objectives:
        seen = np.ones(problem.patterns.shape[0], np.bool_)
        seen[kept] = False
        problem = only(problem, seen)
    attempt.engines = _engines(config, tune, with_selection(problem, config.reconstruction), state, shared.backend)
    attempt.stop_requested = attempt.stop_requested  # a signal may have come before there were engines
    begun = None if gain is None or kept is None else mean_held_out_loss(attempt.engines, kept)
    for iteration in range(1, iterations + 1):
        for engine in attempt.engines:
            engine.run(iteration - engine.iteration)
        if attempt.stop_requested:
            raise Stopped
        last = iteration == iterations
        if last or (watch is not None and iteration % tune.report_every == 0):
            found = values(tune.objectives, attempt.engines, kept, problem.pixel_size)
            if not all(map(math.isfinite, found)):
                raise DivergenceError(f"iteration {iteration}: the objectives became {found}")
            pruned = watch is not None and watch(iteration, found[0]) and not last
            if last and gain is not None and begun is not None and kept is not None:
                _require_gain(begun, mean_held_out_loss(attempt.engines, kept), gain, tune.objectives)
            if last or pruned:
                phase = summed_phase(attempt.engines[0])
                return Outcome(found, iteration, pruned, phase.astype(np.float32), problem.pixel_size)
    raise ConfigError("tune.iterations: at least one is needed")


def _require_gain(begun: float, ended: float, gain: float, objectives: Sequence[str]) -> None:
    """NoGain where the loss has not fallen by more than this share: then the object is next to what it was."""
    if begun - ended > gain * abs(begun):
        return
    share = f" by {100 * gain:g} %" if gain else ""
    blind = " and ".join(name for name in objectives if name in BLIND)
    raise NoGain(
        f"the patterns are not explained better{share} than by the starting guess (loss {ended:.4g}, at first "
        f"{begun:.4g}), and {blind} of such an object says nothing: tune.required_gain"
    )


def _engines(config: Config, tune: Tune, problem: Problem, state: State, backend: Backend) -> list[Engine]:
    """One engine, or one for each half where the objectives compare them."""
    settings = settings_from(config)
    if "ring_correlation" not in tune.objectives:
        return [Engine(problem, state, settings, backend)]
    count = problem.patterns.shape[0]
    engines = []
    for half in HALVES:
        chosen = np.zeros(count, np.bool_)
        chosen[select_positions(count, half, problem.scan_shape)] = True
        engines.append(Engine(only(problem, chosen), state, settings, backend))
    return engines
