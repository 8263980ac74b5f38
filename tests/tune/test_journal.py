"""The journal: a torn last line is repaired under the lock with the tail kept, and what is no journal is refused."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from ptycupy.errors import ConfigError, DataError, ResourceError
from ptycupy.tune.journal import MendedJournal, open_storage

optuna.logging.set_verbosity(optuna.logging.ERROR)


def journal_with_trials(path, count=3):
    study = optuna.create_study(study_name="s", storage=JournalStorage(MendedJournal(path)))
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=count)
    return path.read_bytes()


@pytest.mark.parametrize("cut", [1, 7, 40])
def test_fault_63_a_torn_last_line_is_repaired_with_the_tail_kept(tmp_path, caplog, cut):
    path = tmp_path / "journal.log"
    whole = journal_with_trials(path)
    path.write_bytes(whole[:-cut])
    last = whole.rstrip(b"\n").rindex(b"\n") + 1
    with caplog.at_level(logging.WARNING):
        storage = open_storage(None, tmp_path)
    assert path.read_bytes() == whole[:last]
    (aside,) = tmp_path.glob("journal.log.torn-*")
    assert aside.read_bytes() == whole[last:-cut]
    assert str(aside) in caplog.text
    study = optuna.load_study(study_name="s", storage=storage)
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=1)
    assert len(optuna.load_study(study_name="s", storage=JournalStorage(JournalFileBackend(str(path)))).trials) == 4


def test_fault_63_a_tail_torn_while_others_work_is_mended_by_the_next_to_write(tmp_path):
    path = tmp_path / "journal.log"
    journal_with_trials(path)
    here = open_storage(None, tmp_path)
    study = optuna.load_study(study_name="s", storage=here)
    with path.open("ab") as file:
        file.write(b'{"op_code":4,"worker_id":"somebody wh')
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=2)
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"] * 5
    again = optuna.load_study(study_name="s", storage=JournalStorage(JournalFileBackend(str(path))))
    assert [trial.params for trial in again.trials] == [trial.params for trial in study.trials]


def test_a_block_of_zeros_as_a_power_cut_leaves_it_is_a_torn_tail(tmp_path):
    path = tmp_path / "journal.log"
    whole = journal_with_trials(path)
    path.write_bytes(whole + b"\0" * 100_000)
    open_storage(None, tmp_path)
    assert path.read_bytes() == whole


def test_the_repair_waits_for_the_lock(tmp_path):
    path = tmp_path / "journal.log"
    whole = journal_with_trials(path)
    journal = MendedJournal(path)
    path.write_bytes(whole[:-5])
    journal.file_lock.acquire()
    waiting = threading.Thread(target=MendedJournal, args=(path,))
    waiting.start()
    time.sleep(0.2)
    assert path.read_bytes() == whole[:-5]
    journal.file_lock.release()
    waiting.join(10)
    assert path.read_bytes() != whole[:-5]


def test_an_empty_journal_and_one_torn_in_its_first_line(tmp_path):
    path = tmp_path / "journal.log"
    path.write_bytes(b'{"op_co')
    assert open_storage(None, tmp_path).get_all_studies() == []
    assert path.read_bytes() == b""


def test_what_is_no_journal_is_left_alone(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("these are\nno records\n")
    with pytest.raises(DataError, match=r"notes\.txt: not a journal of Optuna, or damaged before its end"):
        open_storage(str(path), tmp_path)
    assert path.read_text() == "these are\nno records\n"


def test_damage_before_the_end_is_refused(tmp_path):
    path = tmp_path / "journal.log"
    lines = journal_with_trials(path).splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], lines[2][:-9] + b"\n", *lines[3:]]))
    with pytest.raises(DataError, match="damaged before its end"):
        open_storage(None, tmp_path)


def test_databases_by_url(tmp_path, monkeypatch):
    monkeypatch.setenv("PLACE", str(tmp_path))
    storage = open_storage("sqlite:///$PLACE/trials.db", tmp_path)
    optuna.create_study(study_name="s", storage=storage)
    assert (tmp_path / "trials.db").exists()
    with pytest.raises(ConfigError, match="host/x: names no database"):
        open_storage("nosuch://user:secret@host/x", tmp_path)
    with pytest.raises(ResourceError, match="cannot be used") as error:
        open_storage(f"sqlite:///{tmp_path}/absent/trials.db", tmp_path)
    assert "Traceback" not in str(error.value)


def test_a_missing_driver_is_named_and_no_password_shown(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg2", None)
    with pytest.raises(ConfigError, match="host/db: its driver is missing") as error:
        open_storage("postgresql+psycopg2://user:secret@host/db", tmp_path)
    assert "secret" not in str(error.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(ResourceError, match="cannot be written"):
        open_storage(None, tmp_path / "study")
