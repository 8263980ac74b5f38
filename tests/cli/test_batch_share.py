"""Lists whose scans share probe or object: joint runs in one batch folder, resumed, refused."""

import re
import signal

import h5py
import numpy as np
import pytest
import tiny_run

from ptycupy.api import reconstruct_batch
from ptycupy.cli import main
from ptycupy.outputs.summary import read_summary
from ptycupy.reconstruction.callbacks import Quiet
from ptycupy.storage.result import load_result

LIST = """\
base: tiny.yaml
set: {{reconstruction.checkpoint_every: 1, output.name: all, optimizer.shifts: 1e-2}}
share: [{share}]
share_intensities: {intensities}
entries:
  - {{name: a}}
  - {{name: b, offset_px: {offset}, set: {{data.path: {second}, scan.path: {second}}}}}
"""


@pytest.fixture(autouse=True)
def _no_figures(monkeypatch):
    tiny_run.without_pictures(monkeypatch)


def listed(folder, *, share="probe", second="second.h5", offset="[0, 0]", intensities="measured"):
    """Two scans: one file, and its second half with twice the dose in a frame of its own."""
    tiny_run.write(folder)
    with h5py.File(folder / "scan.h5") as file, h5py.File(folder / "second.h5", "w") as other:
        other["dp"] = file["dp"][8:] * 2
        other["positions_px"] = file["positions_px"][8:] - [0, 5]
    path = folder / "list.yaml"
    path.write_text(LIST.format(share=share, second=second, offset=offset, intensities=intensities))
    return path


def batch(path, *arguments):
    return main(["batch", str(path), "--backend", "cpu", *arguments])


def results(folder):
    return [load_result(folder / "runs" / "all" / name / "result.h5") for name in "ab"]


def test_a_shared_probe_is_one_and_objects_are_their_own(tmp_path, capsys):
    path = listed(tmp_path)
    assert batch(path) == 0
    told = capsys.readouterr()
    assert re.search(r"differ by \d+ %; share_intensities: equal", told.err)
    a, b = results(tmp_path)
    np.testing.assert_array_equal(a.state.probe, b.state.probe)
    assert a.probe_intensity == b.probe_intensity
    assert a.state.object_phase.shape != b.state.object_phase.shape
    assert a.history.iterations == b.history.iterations == [1, 2, 3, 4]
    assert [outcome.status for outcome in read_summary(tmp_path / "runs/all/summary.csv").values()] == ["finished"] * 2
    assert (tmp_path / "runs" / "all" / "overview.png").exists()


def test_equal_intensities_scale_the_counts(tmp_path, capsys):
    assert batch(listed(tmp_path, intensities="equal"), "-q") == 0
    assert "differ by" not in capsys.readouterr().err
    a, b = results(tmp_path)
    assert b.history.total[0] == pytest.approx(a.history.total[0], rel=0.1)


def test_a_shared_object_holds_all_scans_in_one_frame(tmp_path):
    assert batch(listed(tmp_path, share="object", offset="[0, 5]"), "-q", "--set", "optimizer.shifts=0") == 0
    a, b = results(tmp_path)
    np.testing.assert_array_equal(a.state.object_phase, b.state.object_phase)
    np.testing.assert_allclose(b.corners + b.state.shifts, (a.corners + a.state.shifts)[8:], atol=1e-5)
    assert not np.array_equal(a.state.probe, b.state.probe)


def test_one_scan_in_a_list_is_its_own_run(tmp_path):
    path = listed(tmp_path)
    path.write_text("\n".join(path.read_text().splitlines()[:-1]))
    assert batch(path, "-q") == 0
    alone = ["recon", str(tmp_path / "tiny.yaml"), "--backend", "cpu", "-q", "--set", "optimizer.shifts=1e-2"]
    assert main([*alone, "--set", "output.name=alone"]) == 0
    joint, single = (load_result(tmp_path / "runs" / name / "result.h5") for name in ("all/a", "alone"))
    for name, value in single.state.items():
        np.testing.assert_array_equal(getattr(joint.state, name), value, err_msg=name)
    assert joint.history.total == single.history.total


def test_what_fails_in_one_scan_fails_in_all(tmp_path, capsys):
    assert batch(listed(tmp_path, second="absent.h5"), "-q") == 3
    found = read_summary(tmp_path / "runs" / "all" / "summary.csv").values()
    assert [(outcome.status, outcome.exit_code) for outcome in found] == [("failed", 3)] * 2
    assert "absent.h5: no such file" in capsys.readouterr().out


@pytest.mark.parametrize("share", ["probe", "object, probe"])
def test_a_stopped_joint_run_resumes_bit_for_bit(tmp_path, share):
    whole, cut = listed(tmp_path / "1", share=share), listed(tmp_path / "2", share=share)
    assert batch(whole, "-q") == 0

    class Stop(Quiet):
        seen = 0

        def on_batch(self, engine, number, batches):
            self.seen += 1
            if self.seen == 14:  # of 6 batches in an iteration
                signal.raise_signal(signal.SIGINT)

    stopped = reconstruct_batch(cut, backend="cpu", callbacks=[Stop()])
    assert stopped.exit_code == 130
    assert [(outcome.status, outcome.iterations) for outcome in stopped.outcomes] == [("interrupted", 2)] * 2
    assert any(result.pending for result in results(tmp_path / "2"))
    assert batch(cut, "-q", "--resume") == 0
    for one, other in zip(results(tmp_path / "1"), results(tmp_path / "2"), strict=True):
        np.testing.assert_array_equal(one.state.object_phase, other.state.object_phase)
        assert one.history.total == other.history.total
    before = (tmp_path / "2" / "runs" / "all" / "a" / "result.h5").stat().st_mtime_ns
    assert batch(cut, "-q", "--resume") == 0, "nothing is left to do"
    assert (tmp_path / "2" / "runs" / "all" / "a" / "result.h5").stat().st_mtime_ns == before


def test_a_killed_joint_run_resumes_from_what_all_scans_have(tmp_path, capsys):
    path = listed(tmp_path)
    assert batch(path, "-q") == 0
    folder = tmp_path / "runs" / "all"
    whole = results(tmp_path)
    for name in ("a/result.h5", "b/result.h5", "b/checkpoint_0004.h5"):
        (folder / name).unlink()
    assert batch(path, "--resume") == 0
    assert capsys.readouterr().err.count("resumed after iteration 3") == 2
    for one, other in zip(results(tmp_path), whole, strict=True):
        np.testing.assert_array_equal(one.state.object_phase, other.state.object_phase)


def test_scans_that_were_not_saved_at_one_moment_are_refused(tmp_path, capsys):
    path = listed(tmp_path)
    assert batch(path, "-q") == 0
    folder = tmp_path / "runs" / "all"
    for name in "ab":
        (folder / name / "result.h5").unlink()
    assert batch(path, "-q", "--resume", "--set", "reconstruction.iterations=5") == 0
    four = (folder / "b" / "checkpoint_0004.h5").read_bytes()
    for name in "ab":
        (folder / name / "result.h5").unlink()
    assert batch(path, "-q", "--overwrite", "--set", "optimizer.probe=2e-3") == 0
    (folder / "b" / "checkpoint_0004.h5").write_bytes(four)
    (folder / "b" / "result.h5").unlink()
    again = ["--set", "optimizer.probe=2e-3", "--set", "reconstruction.iterations=6"]
    assert batch(path, "-q", "--resume", *again) == 3
    assert "probe of scan 2 was not saved at the same moment" in capsys.readouterr().out
