"""A worker: takes trials of a study one after the other until there are none left."""

from __future__ import annotations

import contextlib
import logging
import math
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import ExperimentalWarning, UpdateFinishedTrialError
from optuna.trial import Trial, TrialState

from ptycupy.api.run import with_simulation
from ptycupy.api.session import Session
from ptycupy.config.schema import Config
from ptycupy.config.tuning import Tune
from ptycupy.errors import ConfigError, DataError, DivergenceError, PtycupyError, ResourceError
from ptycupy.reconstruction.interrupt import StopOnSignal
from ptycupy.tune import phases
from ptycupy.tune.claims import REASON, Claim, Queue
from ptycupy.tune.data import SharedData
from ptycupy.tune.journal import open_storage
from ptycupy.tune.liveness import heartbeat
from ptycupy.tune.samplers import make_pruner, make_sampler, require_sampler, wanted_trials
from ptycupy.tune.space import Space
from ptycupy.tune.study import Study, join
from ptycupy.tune.trial import Attempt, Outcome, Stopped, run_trial

logger = logging.getLogger(__name__)
FAILURES = 10  # in a row, after which a worker gives up
POLL = 1.0  # s between looks at trials that run elsewhere
LONGEST_BEAT = 30.0  # s between signs of life


@dataclass(frozen=True)
class Task:
    """A study that is open, and what its trials need to know."""

    config: Config
    tune: Tune
    space: Space
    study: Study
    iterations: int
    folder: Path

    def queue(self) -> Queue:
        """The study's trials as a new worker sees them."""
        wanted = wanted_trials(self.tune, self.space)
        return Queue(self.study, wanted, self.space.initial, self.tune.dead_after_seconds)


def open_task(config: Config, label: str) -> Task:
    """Everything that can be refused is refused here, before the first trial.

    Raises ConfigError for a search space, sampler, pruner or study that cannot be, ResourceError and DataError for a
    storage that cannot be used.
    """
    space = Space(config)
    tune = config.tune
    assert tune is not None  # else there is no space
    require_sampler(tune, space)
    name = tune.study or label
    folder = Path(config.output.folder).expanduser().absolute() / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"output.folder: cannot write to {folder}: {error.strerror or error}") from error
    iterations = tune.iterations or config.reconstruction.iterations
    with quiet_optuna():
        study = join(open_storage(tune.storage, folder), name, config, space, iterations)
    return Task(config, tune, space, study, iterations, folder)


def work(task: Task, signals: StopOnSignal) -> None:
    """Runs trials until the study has all of its own, or a signal comes.

    A trial that diverges, runs out of memory or cannot be set up fails with its reason, and the next one is taken;
    the error of the tenth in a row is raised. A trial that a signal ends is queued again.
    """
    backend = Session(signals).backend(task.config)
    queue, shared = task.queue(), SharedData(backend)
    prepared = with_simulation(task.config, task.folder, True)
    begun, failures = time.monotonic(), 0
    with quiet_optuna():
        while signals.exit_code is None:
            if task.tune.timeout_seconds is not None and time.monotonic() - begun > task.tune.timeout_seconds:
                logger.info("tune.timeout_seconds has passed: no more trials here")
                return
            claim = queue.claim()
            if claim is False:
                return
            if claim is True:
                time.sleep(POLL)
                continue
            assert isinstance(claim, Claim)
            try:
                error = _run(task, queue, claim, shared, prepared, signals)
            except BaseException as problem:  # a second Ctrl-C, or a defect of ours
                queue.give_back(claim.trial_id, died=isinstance(problem, Exception))
                raise
            failures = failures + 1 if error is not None else 0
            if error is not None:
                backend.release()
                if failures == FAILURES:
                    kind: Any = type(error)
                    raise kind(f"{FAILURES} trials in a row failed, the last one with: {error}") from error


def _run(
    task: Task, queue: Queue, claim: Claim, shared: SharedData, prepared: Config, signals: StopOnSignal
) -> PtycupyError | None:
    """One trial from its values to its end in the storage; the error that made it fail, if one did."""
    tune, storage = task.tune, task.study.storage
    pruner = make_pruner(tune.pruner, task.iterations)
    study = task.study.open(make_sampler(tune, task.space, claim.rank), pruner)
    attempt, start = Attempt(), time.monotonic()
    beat = min(LONGEST_BEAT, tune.dead_after_seconds / 5)
    with heartbeat(storage, claim.trial_id, beat):
        trial = Trial(study, claim.trial_id)
        values = task.space.suggest(trial)

        def watch(iteration: int, value: float) -> bool:
            trial.report(value, iteration)
            return trial.should_prune()

        signals.engine = attempt
        error: PtycupyError | None = None
        outcome: Outcome | None = None
        try:
            config = _trial_config(task, values, prepared)
            outcome = run_trial(config, tune, shared, task.iterations, attempt, None if tune.pruner is None else watch)
        except Stopped:
            queue.give_back(claim.trial_id, died=False)
            return None
        except (DivergenceError, ResourceError, ConfigError, DataError) as failure:
            error = failure
        except MemoryError as failure:
            error = ResourceError(f"out of memory: {failure}")
        finally:
            signals.engine = None
            attempt.engines = []
    if outcome is not None and not outcome.pruned and phases.leads(outcome.values, study.get_trials(deepcopy=False)):
        phases.keep(task.folder, trial.number, outcome.phase, outcome.pixel_size)
    _tell(study, trial, outcome, error, values, time.monotonic() - start)
    return error


def _trial_config(task: Task, values: dict[str, Any], prepared: Config) -> Config:
    """The trial's configuration, on the data that were prepared for the study."""
    config = task.space.config(values)
    if prepared is not task.config:  # simulated for the study
        config = config.model_copy(update={"data": config.data.model_copy(update={
            "path": prepared.data.path, "key": prepared.data.key})})  # fmt: skip
    return config


def _tell(
    study: optuna.Study,
    trial: Trial,
    outcome: Outcome | None,
    error: PtycupyError | None,
    values: dict[str, Any],
    seconds: float,
) -> None:
    told = ", ".join(
        f"{key}={value:.6g}" if isinstance(value, float) else f"{key}={value}" for key, value in values.items()
    )
    try:
        trial.set_user_attr("seconds", round(seconds, 3))
        if outcome is None:
            trial.set_user_attr(REASON, str(error))
            study.tell(trial, state=TrialState.FAIL)
            logger.warning("trial %d failed: %s (%s)", trial.number, error, told)
            return
        trial.set_user_attr("iterations", outcome.iterations)
        if outcome.pruned:
            study.tell(trial, state=TrialState.PRUNED)
        else:
            study.tell(trial, outcome.values)
    except (UpdateFinishedTrialError, ValueError) as problem:
        if not study._storage.get_trial(trial._trial_id).state.is_finished():
            raise
        logger.warning(
            "trial %d was taken for dead and given to others; its result is dropped: %s", trial.number, problem
        )
        return
    end = f"pruned after iteration {outcome.iterations}" if outcome.pruned else f"{seconds:.1f} s"
    found = ", ".join(f"{value:.6g}" for value in outcome.values)
    logger.info("trial %d: %s (%s; %s)%s", trial.number, found, end, told, _best(study))


def _best(study: optuna.Study) -> str:
    if len(study.directions) > 1:
        return ""
    done = [one for one in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)) if one.value is not None]
    if not done:
        return ""
    best = min(done, key=lambda one: one.value if one.value is not None else math.inf)
    return f"; best so far {best.value:.6g}, trial {best.number}"


@contextlib.contextmanager
def quiet_optuna() -> Iterator[None]:
    """Without Optuna's own log lines on stderr (ours say the same) and its warnings of what is experimental."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(level)
