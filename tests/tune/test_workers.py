"""Workers as processes: one is killed in a trial, one is stopped, several are started at once (row 62)."""

from __future__ import annotations

import signal
import time

import pytest
import tiny_run
from optuna.trial import TrialState
from tune.small import load_study, small_config, write_small

from ptycupy.errors import ConfigError
from ptycupy.tune import tune
from ptycupy.tune.claims import counts
from ptycupy.tune.local import Place, parse_workers

LONG = 100_000  # iterations: a trial that does not end by itself
SECONDS = 90


def running(folder, count=1):
    """Waits until so many trials run that have their values; the study."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        if (folder / "runs" / "small" / "journal.log").exists():
            try:
                study = load_study(folder)
            except KeyError:
                continue
            if sum(one.state == TrialState.RUNNING and len(one.params) == 2 for one in study.trials) >= count:
                return study
        time.sleep(0.05)
    raise AssertionError("no trial began")


def test_fault_62_of_two_workers_one_is_killed_in_a_trial_and_the_study_is_complete(tmp_path):
    """The first worker is killed in the middle of a trial that would never end; the second one takes over."""
    path = write_small(tmp_path, trials=6, iterations=2, report_every=1)
    victim = tiny_run.start("tune", path, "-q")
    other = None
    try:
        running(tmp_path)
        victim.send_signal(signal.SIGSTOP)  # it stays in its trial ...
        (caught,) = [one for one in load_study(tmp_path).trials if one.state == TrialState.RUNNING]
        other = tiny_run.start("tune", path, "-q")
        end = time.monotonic() + SECONDS
        while sum(one.state == TrialState.COMPLETE for one in load_study(tmp_path).trials) < 5:
            assert time.monotonic() < end, "the other worker did not do the rest"
            time.sleep(0.1)
        assert other.poll() is None  # it waits for the last trial
        victim.kill()  # ... and is killed there
        victim.communicate()
        out, err = other.communicate(timeout=SECONDS)
    finally:
        for process in (victim, other):
            if process is not None and process.poll() is None:
                process.kill()
    assert (other.returncode, out.strip()) == (0, str(tmp_path / "runs" / "small"))
    assert f"process {victim.pid} on" in err
    assert "is dead; its values are queued again" in err
    trials = load_study(tmp_path).trials
    assert [one.state for one in trials if counts(one)] == [TrialState.COMPLETE] * 6
    (again,) = [one for one in trials if one.user_attrs.get("retry_of") == caught.number]
    assert again.params == caught.params
    assert len((tmp_path / "runs" / "small" / "trials.csv").read_text().splitlines()) == 1 + 6


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_batch_and_queues_the_trial_again(tmp_path, number, code):
    path = write_small(tmp_path, trials=2, iterations=LONG)
    worker = tiny_run.start("tune", path)
    running(tmp_path)
    worker.send_signal(number)
    _, err = worker.communicate(timeout=SECONDS)
    assert worker.returncode == code, err
    assert "Traceback" not in err
    waiting = [one for one in load_study(tmp_path).trials if one.state == TrialState.WAITING]
    assert [one.user_attrs["retry_of"] for one in waiting] == [0]
    assert waiting[0].system_attrs["fixed_params"] == load_study(tmp_path).trials[0].params


def test_workers_here_share_a_study_and_the_signal(tmp_path):
    path = write_small(tmp_path, trials=3, iterations=LONG)
    parent = tiny_run.start("tune", path, "--workers", "2")
    running(tmp_path, 2)
    parent.send_signal(signal.SIGINT)
    _, err = parent.communicate(timeout=SECONDS)
    assert parent.returncode == 130, err
    states = [one.state.name for one in load_study(tmp_path).trials if counts(one)]
    assert states == ["WAITING"] * 2


def test_workers_here_finish_a_study_together(tmp_path):
    found = tune(small_config(tmp_path, trials=4), workers=2)
    assert found.exit_code == 0
    assert [one.state.name for one in found.study.trials if counts(one)] == ["COMPLETE"] * 4
    workers = {one.system_attrs["ptycupy:worker"]["pid"] for one in found.study.trials}
    assert 1 <= len(workers) <= 2
    assert (found.folder / "best.yaml").exists()


def test_the_error_of_a_worker_is_the_whole_ones(tmp_path):
    path = write_small(tmp_path, trials=30)
    (tmp_path / "scan.h5").unlink()
    parent = tiny_run.start("tune", path, "--workers", "1", "-q")
    _, err = parent.communicate(timeout=SECONDS)
    assert parent.returncode == 3, err
    assert "10 trials in a row failed" in err


def test_places_are_parsed(monkeypatch):
    monkeypatch.setattr("ptycupy.tune.local._cores", lambda: 8)
    assert parse_workers(2, "cpu") == [Place("cpu", 4)] * 2
    assert parse_workers("3", "auto") == [Place("auto", 2)] * 3
    for text in ("gpu:0,gpu:1", "gpu:0,1", "cuda:0,cuda:1"):
        assert parse_workers(text, "auto") == [Place("cuda:0", 4), Place("cuda:1", 4)]
    for wrong in ("0", "gpu", "gpu:", "cpu:0", "two", "gpu:0,", "-1"):
        with pytest.raises(ConfigError, match="--workers"):
            parse_workers(wrong, "auto")
