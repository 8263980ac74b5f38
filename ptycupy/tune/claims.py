"""Which trial is next: exactly as many as the study has, whoever works on it and whoever dies on the way.

Trials wait in the storage until a worker takes one, which the storage lets only one do. A trial counts unless it was
lost: given up without a result of its own, because its worker died or was stopped. A lost trial's values are queued
again under the rank of the original. Of all trials that count, in the order of their ranks, only the first
`tune.trials` are ever run, so that workers who add one at the same time do no harm.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState, create_trial

from ptycupy.tune.liveness import WORKER, Deaths, myself
from ptycupy.tune.study import Study

logger = logging.getLogger(__name__)
REASON = "reason"  # user attributes of a trial: why it failed, ...
RETRY = "retry_of"  # ... which trial's values it repeats, ...
LOSSES = "workers_lost"  # ... and how many workers these have cost
MOST_LOSSES = 3
FIXED = "fixed_params"  # Optuna's own name for values that the sampler must not choose


@dataclass(frozen=True)
class Claim:
    """A trial that is ours to run; `rank` is its place among the study's."""

    trial_id: int
    number: int
    rank: int


class Queue:
    """A study's trials as one worker sees them."""

    def __init__(self, study: Study, wanted: int, initial: list[dict[str, Any]], patience: float) -> None:
        self.study = study
        self.wanted = wanted
        self.initial = initial
        self.deaths = Deaths(patience)

    def claim(self) -> Claim | bool:
        """The next trial; True where all that is left is running elsewhere, False where the study is complete."""
        storage = self.study.storage
        while True:
            trials = self.counted()
            if self._reap(trials):
                continue
            for rank, trial in enumerate(trials[: self.wanted]):
                if trial.state == TrialState.WAITING and self._take(trial, rank):
                    return Claim(trial._trial_id, trial.number, rank)
            if len(trials) < self.wanted:
                storage.create_new_trial(self.study.number, create_trial(state=TrialState.WAITING))
                continue
            for trial in trials[self.wanted :]:
                if trial.state == TrialState.WAITING:  # two workers added one at the same time
                    self._end(trial)
            return any(trial.state in (TrialState.RUNNING, TrialState.WAITING) for trial in trials[: self.wanted])

    def counted(self) -> list[FrozenTrial]:
        """The trials that count, by rank."""
        trials = self.study.storage.get_all_trials(self.study.number, deepcopy=False)
        return sorted(filter(counts, trials), key=lambda trial: (origin(trial), trial.number))

    def give_back(self, trial_id: int, *, died: bool) -> None:
        """Ends a trial without a result and queues its values again; does nothing where somebody else did."""
        trial = self.study.storage.get_trial(trial_id)
        losses = trial.user_attrs.get(LOSSES, 0) + died
        if losses >= MOST_LOSSES:
            reason = f"{losses} workers died in this trial, which looks like its values' doing"
            self.study.storage.set_trial_user_attr(trial_id, REASON, reason)
            self._end(trial)
            return
        if not self._end(trial):
            return
        user: dict[str, Any] = {RETRY: origin(trial), LOSSES: losses}
        fixed = {**trial.system_attrs.get(FIXED, {}), **trial.params}
        again = create_trial(state=TrialState.WAITING, user_attrs=user, system_attrs={FIXED: fixed})
        self.study.storage.create_new_trial(self.study.number, again)

    def _take(self, trial: FrozenTrial, rank: int) -> bool:
        storage = self.study.storage
        try:
            with self.study.exclusive():
                if not storage.set_trial_state_values(trial._trial_id, TrialState.RUNNING):
                    return False
        except UpdateFinishedTrialError:
            return False
        storage.set_trial_system_attr(trial._trial_id, WORKER, myself())
        if rank < len(self.initial) and FIXED not in trial.system_attrs:
            storage.set_trial_system_attr(trial._trial_id, FIXED, self.initial[rank])
        return True

    def _reap(self, trials: list[FrozenTrial]) -> bool:
        """Queues the trials of dead workers again; whether there was one."""
        dead = [trial for trial in trials if trial.state == TrialState.RUNNING and self.deaths.dead(trial)]
        for trial in dead:
            worker = trial.system_attrs.get(WORKER, {})
            who = f"process {worker['pid']} on {worker['host']}" if worker else "a process that left no name"
            logger.warning("trial %d: its worker, %s, is dead; its values are queued again", trial.number, who)
            self.give_back(trial._trial_id, died=True)
        return bool(dead)

    def _end(self, trial: FrozenTrial) -> bool:
        try:
            with self.study.exclusive():
                self.study.storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)
        except UpdateFinishedTrialError:
            return False
        return True


def counts(trial: FrozenTrial) -> bool:
    """Whether this is one of the study's trials: it waits, runs, or came to an end of its own."""
    return trial.state != TrialState.FAIL or REASON in trial.user_attrs


def origin(trial: FrozenTrial) -> int:
    """The number of the trial whose values these are, which is its own unless it repeats one."""
    return int(trial.user_attrs.get(RETRY, trial.number))
