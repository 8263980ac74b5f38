"""Exactly the asked number of trials, whoever works on them and whoever dies on the way (row 62)."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading

import optuna
import pytest
from optuna.storages import InMemoryStorage, JournalStorage, RDBStorage
from optuna.trial import Trial, TrialState

from ptycupy.tune import liveness
from ptycupy.tune.claims import FIXED, LOSSES, MOST_LOSSES, REASON, RETRY, Claim, Queue, counts
from ptycupy.tune.journal import MendedJournal
from ptycupy.tune.liveness import BEAT, WORKER, Deaths, heartbeat, machine, myself, started
from ptycupy.tune.study import Study

optuna.logging.set_verbosity(optuna.logging.ERROR)


def opened(storage) -> Study:
    with contextlib.suppress(optuna.exceptions.DuplicatedStudyError):
        optuna.create_study(study_name="s", storage=storage)
    return Study.of(storage, "s")


@pytest.fixture
def study() -> Study:
    return opened(InMemoryStorage())


def finish(study: Study, claim: Claim) -> None:
    study.storage.set_trial_state_values(claim.trial_id, TrialState.COMPLETE, [1.0])


def gone() -> dict:
    """The mark of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    pid, begun = process.pid, started(process.pid)
    process.wait()
    return {**myself(), "pid": pid, "started": begun}


def test_a_queue_gives_as_many_trials_as_are_wanted(study):
    queue = Queue(study, 3, [], 60)
    ranks = []
    while isinstance(claim := queue.claim(), Claim):
        ranks.append(claim.rank)
        finish(study, claim)
    assert (ranks, claim) == ([0, 1, 2], False)
    assert Queue(study, 5, [], 60).claim() is not False  # a larger number goes on


def test_while_the_last_trial_runs_elsewhere_there_is_something_to_wait_for(study):
    queue = Queue(study, 1, [], 60)
    claim = queue.claim()
    assert Queue(study, 1, [], 60).claim() is True
    finish(study, claim)
    assert Queue(study, 1, [], 60).claim() is False


@pytest.mark.parametrize("kind", ["journal", "sqlite"])
def test_workers_at_the_same_time_share_the_number(tmp_path, kind):
    def storage():
        return (
            JournalStorage(MendedJournal(tmp_path / "j"))
            if kind == "journal"
            else RDBStorage(f"sqlite:///{tmp_path}/d")
        )

    opened(storage())
    ran, guard = [], threading.Lock()

    def work():
        study = opened(storage())
        queue = Queue(study, 12, [], 60)
        while (claim := queue.claim()) is not False:
            if isinstance(claim, Claim):
                with guard:
                    ran.append((claim.trial_id, claim.rank))
                finish(study, claim)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(ran) == len({trial for trial, _ in ran}) == 12
    assert sorted(rank for _, rank in ran) == list(range(12))
    states = [trial.state for trial in opened(storage()).open().trials if counts(trial)]
    assert states == [TrialState.COMPLETE] * 12


def test_fault_62_a_dead_workers_trial_is_queued_again_with_its_values(study):
    queue = Queue(study, 2, [], 60)
    claim = queue.claim()
    trial = Trial(study.open(), claim.trial_id)
    value = trial.suggest_float("x", 0, 1)
    study.storage.set_trial_system_attr(claim.trial_id, WORKER, gone())
    again = Queue(study, 2, [], 60).claim()
    assert again.rank == claim.rank
    retry = study.storage.get_trial(again.trial_id)
    assert retry.user_attrs == {RETRY: claim.number, LOSSES: 1}
    assert Trial(study.open(), again.trial_id).suggest_float("x", 0, 1) == value
    lost = study.storage.get_trial(claim.trial_id)
    assert (lost.state, counts(lost)) == (TrialState.FAIL, False)


def test_fault_62_a_retry_comes_before_a_surplus_trial(study):
    queue = Queue(study, 1, [], 60)
    claim = queue.claim()
    surplus = study.storage.create_new_trial(study.number, optuna.trial.create_trial(state=TrialState.WAITING))
    study.storage.set_trial_system_attr(claim.trial_id, WORKER, gone())
    again = queue.claim()
    assert again.trial_id not in (claim.trial_id, surplus)
    finish(study, again)
    assert queue.claim() is False
    assert not counts(study.storage.get_trial(surplus))


def test_a_trial_that_kills_its_workers_is_given_up(study):
    queue = Queue(study, 1, [], 60)
    for _ in range(MOST_LOSSES):
        claim = queue.claim()
        study.storage.set_trial_system_attr(claim.trial_id, WORKER, gone())
    assert queue.claim() is False
    last = study.open().trials[-1]
    assert "3 workers died in this trial" in last.user_attrs[REASON]
    assert counts(last)


def test_a_stopped_trial_is_given_back_and_costs_nothing(study):
    queue = Queue(study, 1, [{"x": 0.25}], 60)
    claim = queue.claim()
    queue.give_back(claim.trial_id, died=False)
    queue.give_back(claim.trial_id, died=False)  # again does nothing
    again = queue.claim()
    found = study.storage.get_trial(again.trial_id)
    assert found.user_attrs == {RETRY: claim.number, LOSSES: 0}
    assert found.system_attrs[FIXED] == {"x": 0.25}
    finish(study, again)
    assert queue.claim() is False


def test_initial_values_go_to_the_first_trials(study):
    queue = Queue(study, 3, [{"x": 0.125}, {"x": 0.5}], 60)
    found = []
    while isinstance(claim := queue.claim(), Claim):
        found.append(Trial(study.open(optuna.samplers.RandomSampler(seed=1)), claim.trial_id).suggest_float("x", 0, 1))
        finish(study, claim)
    assert found[:2] == [0.125, 0.5]
    assert found[2] not in found[:2]


def running(study: Study, **worker: object):
    trial = study.storage.create_new_trial(study.number)
    if worker:
        study.storage.set_trial_system_attr(trial, WORKER, {**myself(), **worker})
    return trial


def test_a_live_process_is_not_dead_whatever_its_heartbeat_does(study, monkeypatch):
    trial = running(study, pid=myself()["pid"])
    deaths = Deaths(10)
    monkeypatch.setattr(liveness.time, "monotonic", lambda: 0.0)
    assert not deaths.dead(study.storage.get_trial(trial))
    monkeypatch.setattr(liveness.time, "monotonic", lambda: 1e6)
    assert not deaths.dead(study.storage.get_trial(trial))


@pytest.mark.skipif(started(1) is None, reason="this system does not tell when a process began")
def test_a_new_process_with_the_old_pid_is_another_one(study):
    trial = running(study, started="1")
    assert Deaths(10).dead(study.storage.get_trial(trial))


def test_another_machine_is_dead_when_its_heartbeat_stops_changing(study, monkeypatch):
    trial = running(study, machine="elsewhere")
    now = [0.0]
    monkeypatch.setattr(liveness.time, "monotonic", lambda: now[0])
    deaths = Deaths(10)
    for beat, clock, expected in ((1, 0, False), (1, 9, False), (2, 12, False), (2, 21, False), (2, 23, True)):
        study.storage.set_trial_system_attr(trial, BEAT, beat)
        now[0] = clock
        assert deaths.dead(study.storage.get_trial(trial)) is expected, (beat, clock)


def test_a_trial_whose_worker_died_before_it_left_a_name_is_found_by_its_silence(study, monkeypatch):
    trial = running(study)
    now = [0.0]
    monkeypatch.setattr(liveness.time, "monotonic", lambda: now[0])
    deaths = Deaths(10)
    assert not deaths.dead(study.storage.get_trial(trial))
    now[0] = 11.0
    assert deaths.dead(study.storage.get_trial(trial))


def test_the_heart_beats_until_the_trial_ends(study):
    import time

    trial = running(study)
    with heartbeat(study.storage, trial, 0.01):
        time.sleep(0.2)
    first = study.storage.get_trial(trial).system_attrs[BEAT]
    time.sleep(0.05)
    assert study.storage.get_trial(trial).system_attrs[BEAT] == first >= 2
    assert machine() == myself()["machine"]
