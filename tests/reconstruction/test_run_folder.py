"""Run folders: fresh names, refusals before anything is computed, and the lock."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from ptycupy.errors import ConfigError, DataError, ResourceError
from ptycupy.reconstruction import lock
from ptycupy.reconstruction.lock import FolderLock
from ptycupy.reconstruction.run_folder import claim

HOLD = """
import sys, time
from ptycupy.reconstruction.run_folder import claim
run = claim(sys.argv[1], "run")
print("held", flush=True)
time.sleep(60)
"""


def dead_pid():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_runs_without_a_name_get_a_folder_each(tmp_path):
    with (
        claim(tmp_path / "runs", None, "quick start") as first,
        claim(tmp_path / "runs", None, "quick start") as second,
    ):
        assert first.path != second.path
        assert first.path.is_dir()
        assert first.path.name.endswith("_quick start")
        assert (first.path / "run.lock").exists()
    assert not (first.path / "run.lock").exists()


def test_fault_57_a_folder_with_results_is_refused(tmp_path):
    with claim(tmp_path, "mine") as run:
        run.result.write_text("precious")
    with pytest.raises(ConfigError, match=r"mine already holds result.h5; use --overwrite"):
        claim(tmp_path, "mine")
    assert run.result.read_text() == "precious"
    with claim(tmp_path, "mine", overwrite=True) as again:
        assert again.result.read_text() == "precious", "nothing is lost before the run begins"
        again.clear()
        assert not again.result.exists()


def test_a_folder_that_only_holds_a_log_is_free(tmp_path):
    with claim(tmp_path, "mine") as run:
        run.log.write_text("refused: no such file")
    with claim(tmp_path, "mine"):
        pass


def test_fault_57_an_unwritable_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot write to .*file"):
        claim(tmp_path / "file" / "runs", None)
    with pytest.raises(ConfigError, match="cannot write to"):
        claim(tmp_path / "file", "name")


@pytest.mark.skipif(not Path("/proc/version").exists(), reason="needs a folder that even root cannot write")
def test_fault_57_a_read_only_folder_is_refused():
    with pytest.raises(ConfigError, match="cannot write to /proc"):
        claim("/proc", None)


@pytest.mark.parametrize("name", ["Ω tilted 3°", "a b  c", "日本語", "x" * 200])
def test_fault_58_spaces_and_unicode_work(tmp_path, name):
    with claim(tmp_path / "röntgen data", name) as run:
        run.result.write_text("")
    with claim(tmp_path, None, name) as run:
        assert run.path.is_dir()


def test_fault_58_names_that_are_too_long_are_refused_early(tmp_path):
    with pytest.raises(ConfigError, match="name too long"):
        claim(tmp_path, "x" * 256)
    with claim(tmp_path, None, "日" * 300) as run:
        assert len(run.path.name.encode()) <= 255


@pytest.mark.parametrize("name", ["", "a/b", "..", "/abs"])
def test_a_name_is_one_folder(tmp_path, name):
    with pytest.raises(ConfigError, match="must be one folder name"):
        claim(tmp_path, name)


def test_a_fresh_folder_of_a_refused_run_disappears(tmp_path):
    with pytest.raises(DataError), claim(tmp_path, None) as run:  # noqa: PT012
        run.log.write_text("no such file")
        raise DataError("no such file")
    assert list(tmp_path.iterdir()) == []


def test_fault_60_a_second_process_is_told_who_writes(tmp_path):
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(ResourceError, match=f"in use by process {holder.pid} on {socket.gethostname()}") as caught:
            claim(tmp_path, "run", overwrite=True)
        assert caught.value.exit_code == 4
    finally:
        holder.kill()
        holder.communicate()
    with claim(tmp_path, "run") as run:
        assert json.loads((run.path / "run.lock").read_text())["pid"] == os.getpid()


def test_fault_60_the_lock_of_a_dead_process_is_taken_over(tmp_path, caplog):
    (tmp_path / "run.lock").write_text(json.dumps({"host": socket.gethostname(), "pid": dead_pid()}))
    FolderLock(tmp_path).release()
    assert "taken over" in caplog.text
    (tmp_path / "run.lock").write_text("torn {")
    FolderLock(tmp_path).release()


def test_fault_60_the_lock_of_another_host_is_respected(tmp_path):
    (tmp_path / "run.lock").write_text(json.dumps({"host": "elsewhere", "pid": 1}))
    with pytest.raises(ResourceError, match="on elsewhere.*if that run is gone, delete"):
        FolderLock(tmp_path)


def test_fault_60_without_locks_of_the_file_system_the_pid_decides(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "_lock", lambda descriptor: None)
    held = FolderLock(tmp_path)
    with pytest.raises(ResourceError, match=f"process {os.getpid()}"):
        FolderLock(tmp_path)
    held.release()
    (tmp_path / "run.lock").write_text(json.dumps({"host": socket.gethostname(), "pid": dead_pid()}))
    FolderLock(tmp_path).release()
    assert list(tmp_path.iterdir()) == []


def test_resume_finds_the_newest_run_of_this_configuration(tmp_path):
    with pytest.raises(DataError, match="no run of 'star' with a checkpoint"):
        claim(tmp_path, None, "star", resume=True)
    folders = []
    for number, label in enumerate(("star", "star", "other")):
        with claim(tmp_path, None, label) as run:
            (run.path / "checkpoint_0010.h5").write_text("")
        os.utime(run.path, (number, number))
        folders.append(run.path)
    with claim(tmp_path, None, "star"):
        pass  # holds nothing, so it is not the one
    with claim(tmp_path, None, "star", resume=True) as run:
        assert run.path == folders[1]
    with pytest.raises(DataError, match="holds no result.h5"):
        claim(tmp_path, "absent", resume=True)
    assert not (tmp_path / "absent").exists()
