"""Whole studies in a database: SQLite's file, and the server that PTYCUPY_DATABASE_URL names (row 62).

Any that SQLAlchemy knows will do, e.g. postgresql+psycopg2://user:password@localhost/tuning; its tables are made.
"""

from __future__ import annotations

import os
import signal
import time
import uuid

import optuna
import pytest
import tiny_run
from optuna.trial import TrialState
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from tune.small import small_config, write_small

from ptycupy.tune import journal, tune
from ptycupy.tune.claims import counts

SECONDS = 90


@pytest.fixture(params=["sqlite", "server"])
def url(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/trials.db"
    found = os.environ.get("PTYCUPY_DATABASE_URL")
    if not found:
        pytest.skip("PTYCUPY_DATABASE_URL names no database")
    return found


def test_two_workers_make_the_tables_and_finish_a_study(url, tmp_path):
    found = tune(small_config(tmp_path, trials=6, storage=url, study=f"pair {uuid.uuid4().hex}"), workers=2)
    assert found.exit_code == 0
    counted = [one for one in found.study.trials if counts(one)]  # one that both added at once ends without values
    assert [one.state.name for one in counted] == ["COMPLETE"] * 6
    assert all(len(one.params) == 2 for one in counted)
    assert (found.folder / "best.yaml").exists()


def test_a_worker_that_is_killed_is_made_up_for(url, tmp_path):
    name = f"killed {uuid.uuid4().hex}"
    path = write_small(tmp_path, trials=3, iterations=100_000, storage=url, study=name)
    victim = tiny_run.start("tune", path, "-q")
    try:
        (caught,) = running(url, name)
    finally:
        victim.send_signal(signal.SIGKILL)
        victim.communicate()
    other = tiny_run.start("tune", path, "-q")
    try:
        (again,) = running(url, name, other_than=caught.number)
        assert again.user_attrs["retry_of"] == caught.number
        assert again.params == caught.params
    finally:
        other.send_signal(signal.SIGTERM)
        _, err = other.communicate(timeout=SECONDS)
    assert other.returncode == 143, err
    assert "is dead; its values are queued again" in err
    trials = optuna.load_study(study_name=name, storage=url).trials
    assert [one.state.name for one in trials if counts(one)] == ["WAITING"]


def running(url, name, other_than=None):
    """The trials that run, once they have their values."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        try:
            study = optuna.load_study(study_name=name, storage=url)
        except (KeyError, SQLAlchemyError):  # there are no tables, or no study, as yet
            time.sleep(0.2)
            continue
        found = [one for one in study.trials if one.state == TrialState.RUNNING and len(one.params) == 2]
        if found and found[0].number != other_than:
            return found
        time.sleep(0.1)
    raise AssertionError("no trial began")


def test_tables_that_another_worker_makes_at_that_moment_are_waited_for(monkeypatch, tmp_path):
    """PostgreSQL refuses the second of two processes that make the same table."""
    made, opened = [], journal.RDBStorage

    def refused_once(url):
        made.append(url)
        if len(made) == 1:
            raise IntegrityError("CREATE TABLE", None, Exception("duplicate key"))
        return opened(url)

    monkeypatch.setattr(journal, "RDBStorage", refused_once)
    monkeypatch.setattr(journal, "PAUSES", (0.0, 0.0))
    assert isinstance(journal.open_storage(f"sqlite:///{tmp_path}/d", tmp_path), opened)
    assert len(made) == 2
