"""A file is the old one or the new one: killed, out of disk, interrupted."""

import errno
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from snapshots import make, same

from ptycupy.errors import ResourceError
from ptycupy.storage import atomic
from ptycupy.storage.result import load_result, save_result

POSIX = pytest.mark.skipif(os.name == "nt", reason="kills and limits processes the POSIX way")
TESTS = Path(__file__).parents[1]

KILL = """
import os, random, signal, sys, time
from snapshots import make, same
from ptycupy.storage.result import load_result, save_result
path, old, new = sys.argv[1], make(seed=1), make(seed=2)
save_result(path, old)
chance = random.Random(0)
interrupted = 0
for round in range(40):
    child = os.fork()
    if child == 0:
        while True:
            save_result(path, new)
            save_result(path, old)
    time.sleep(chance.uniform(0.005, 0.12))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    result = load_result(path)
    assert same(result, old) or same(result, new), round
    interrupted += sum(name.endswith(".part") for name in os.listdir(os.path.dirname(path)))
    save_result(path, old)  # a later save tidies up
    assert os.listdir(os.path.dirname(path)) == [os.path.basename(path)]
print(interrupted)
"""

FULL = """
import os, resource, sys
from snapshots import make, same
from ptycupy.errors import ResourceError
from ptycupy.storage.result import load_result, save_result
path, snapshot = sys.argv[1], make()
save_result(path, snapshot)
size = os.path.getsize(path)
for limit in [0, 100, size // 2, size - 3000, size - 1]:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        save_result(path, make(seed=3))
    except ResourceError as error:
        assert "File too large" in str(error) and "unchanged" in str(error), error
    else:
        raise SystemExit(f"saved {size} bytes under a limit of {limit}")
    assert os.listdir(os.path.dirname(path)) == [os.path.basename(path)]
    assert same(load_result(path), snapshot)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
save_result(path, make(seed=3))
assert same(load_result(path), make(seed=3))
print("alive")
"""


def run(script, path):
    """The script's output; its process must end well (HDF5 likes to crash after a failed write)."""
    environment = {**os.environ, "PYTHONPATH": str(TESTS), "OPENBLAS_NUM_THREADS": "1", "PYTHONWARNINGS": "default"}
    command = [sys.executable, "-c", textwrap.dedent(script), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@POSIX
def test_fault_55_readable_after_each_of_40_kills_while_saving(tmp_path):
    assert int(run(KILL, tmp_path / "result.h5")) >= 10  # that many kills did hit a save half way


@POSIX
def test_fault_56_disk_full_keeps_the_old_file_and_the_process(tmp_path):
    """A file size limit stops the write at any byte, as a full disk or a quota does."""
    assert run(FULL, tmp_path / "result.h5") == "alive"


def test_fault_56_disk_full_at_the_end(tmp_path, monkeypatch):
    path = tmp_path / "result.h5"
    save_result(path, make(seed=1))

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(atomic.os, "fsync", full)
    with pytest.raises(ResourceError, match="No space left on device.*unchanged"):
        save_result(path, make(seed=2))
    monkeypatch.undo()
    assert same(load_result(path), make(seed=1))
    assert os.listdir(tmp_path) == ["result.h5"]


def test_fault_56_missing_folder(tmp_path):
    with pytest.raises(ResourceError, match=r"result\.h5: could not be saved \(No such file.*nothing was written"):
        save_result(tmp_path / "none" / "result.h5", make())


def test_fault_53_interrupt_while_saving(tmp_path, monkeypatch):
    """Ctrl-C inside a write goes through once HDF5 has closed, and leaves the old file alone."""
    path = tmp_path / "result.h5"
    save_result(path, make(seed=1))
    writes = []

    class Interrupted(atomic.Sink):
        def write(self, data):
            writes.append(len(data))
            if len(writes) == 3:
                self.error = KeyboardInterrupt()
            return super().write(data)

    monkeypatch.setattr(atomic, "Sink", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        save_result(path, make(seed=2))
    assert same(load_result(path), make(seed=1))
    assert os.listdir(tmp_path) == ["result.h5"]


def test_a_failing_block_leaves_nothing(tmp_path):
    def save():
        with atomic.atomic_write(tmp_path / "x") as sink:
            sink.write(b"half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        save()
    assert os.listdir(tmp_path) == []


@POSIX
def test_partial_files_of_living_processes_and_other_machines_stay(tmp_path):
    mine = tmp_path / f".ptycupy-{atomic._host()}-{os.getpid()}-0123abcd.part"
    theirs = tmp_path / ".ptycupy-00000000-1-0123abcd.part"
    mine.touch()
    theirs.touch()
    with atomic.atomic_write(tmp_path / "x") as sink:
        sink.write(b"whole")
    assert sorted(tmp_path.iterdir()) == sorted([mine, theirs, tmp_path / "x"])
    assert (tmp_path / "x").read_bytes() == b"whole"
