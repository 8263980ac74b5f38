"""Checkpoints: two kept, the newest good one found, a full disk survived."""

import shutil
from dataclasses import replace
from types import SimpleNamespace

import pytest
import snapshots

from ptycupy.errors import DataError, ResourceError
from ptycupy.reconstruction import checkpoint
from ptycupy.reconstruction.checkpoint import Checkpoints, list_checkpoints, load_newest
from ptycupy.storage.result import save_result, verify


def at(iteration, **changes):
    return replace(snapshots.make(iterations=4), iteration=iteration, **changes)


def anything_goes(snapshot):
    """Nothing against any snapshot."""


class FakeEngine(SimpleNamespace):
    def snapshot(self, config=""):
        return at(self.iteration, config=config)


def names(folder):
    return [path.name for path in list_checkpoints(folder)]


def test_the_last_two_are_kept(tmp_path):
    saving = Checkpoints(tmp_path, 10, "version: 1\n")
    for iteration in range(1, 36):
        saving.on_iteration(FakeEngine(iteration=iteration))
    assert names(tmp_path) == ["checkpoint_0020.h5", "checkpoint_0030.h5"]
    found = load_newest(tmp_path, anything_goes)
    assert (found.iteration, found.config) == (30, "version: 1\n")


def test_never_means_never(tmp_path):
    Checkpoints(tmp_path, None).on_iteration(FakeEngine(iteration=10))
    assert names(tmp_path) == []


def test_numbers_beyond_9999_sort_as_numbers(tmp_path):
    saving = Checkpoints(tmp_path, 10)
    for iteration in (9980, 9990, 10000):
        saving.write(at(iteration))
    assert names(tmp_path) == ["checkpoint_9990.h5", "checkpoint_10000.h5"]


@pytest.mark.parametrize("error", [ResourceError("disk full"), OSError(28, "No space left on device")])
def test_fault_56_a_full_disk_is_a_warning_and_old_checkpoints_stay(tmp_path, monkeypatch, caplog, error):
    saving = Checkpoints(tmp_path, 10)
    saving.write(at(10))
    saving.write(at(20))

    def full(path, snapshot):
        raise error

    monkeypatch.setattr(checkpoint, "save_result", full)
    assert saving.write(at(30)) is None
    assert "checkpoint not saved, the run goes on" in caplog.text
    assert names(tmp_path) == ["checkpoint_0010.h5", "checkpoint_0020.h5"]


@pytest.mark.parametrize("damage", ["truncated", "empty", "text", "flipped"])
def test_fault_59_a_damaged_checkpoint_falls_back_to_the_one_before(tmp_path, caplog, damage):
    saving = Checkpoints(tmp_path, 10)
    saving.write(at(10))
    newest = saving.write(at(20))
    content = bytearray(newest.read_bytes())
    if damage == "flipped":
        phase = at(20).state.object_phase.tobytes()
        content[content.index(phase[:64]) + 7] ^= 255
    newest.write_bytes({"truncated": content[: len(content) // 2], "empty": b"", "text": b"hello"}.get(damage, content))
    assert load_newest(tmp_path, anything_goes).iteration == 10
    assert "cannot resume from checkpoint_0020.h5" in caplog.text


def test_fault_59_nothing_loadable_shows_every_reason(tmp_path):
    saving = Checkpoints(tmp_path, 10)
    for iteration in (10, 20):
        saving.write(at(iteration)).write_bytes(b"")
    with pytest.raises(DataError, match=r"(?s)nothing to resume.*checkpoint_0020.h5.*checkpoint_0010.h5") as caught:
        load_newest(tmp_path, anything_goes)
    assert caught.value.exit_code == 3
    with pytest.raises(DataError, match="neither a checkpoint nor a result"):
        load_newest(tmp_path / "runs", anything_goes)


def test_fault_59_another_data_set_is_refused_and_what_differs_is_shown(tmp_path):
    Checkpoints(tmp_path, 10).write(at(10, config="object:\n  slices: 6\n"))

    def check(snapshot):
        verify(snapshot, "other", "object:\n  slices: 12\n")

    with pytest.raises(DataError, match=r"(?s)fingerprint 1f2e3d4c, now other.*object.slices: saved 6, now 12"):
        load_newest(tmp_path, check)


def test_the_finished_result_is_used_where_it_is_further(tmp_path):
    saving = Checkpoints(tmp_path, 10)
    saving.write(at(10))
    save_result(tmp_path / "result.h5", at(15))
    assert load_newest(tmp_path, anything_goes).iteration == 15
    saving.write(at(20))
    assert load_newest(tmp_path, anything_goes).iteration == 20
    for path in list_checkpoints(tmp_path):
        path.unlink()
    assert load_newest(tmp_path, anything_goes).iteration == 15
    shutil.copy(tmp_path / "result.h5", tmp_path / "checkpoint_copy.h5")
    assert load_newest(tmp_path, anything_goes).iteration == 15, "other files are left alone"
