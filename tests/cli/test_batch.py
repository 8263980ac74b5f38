"""Many reconstructions in one batch folder: reuse, failures, interruption, resuming, summary and overview."""

import csv
import signal

import numpy as np
import pytest
import tiny_run

from ptycupy import backends
from ptycupy.api import run
from ptycupy.cli import main
from ptycupy.outputs.summary import read_summary
from ptycupy.storage.result import load_result

LIST = """\
base: tiny.yaml
set: {{reconstruction.checkpoint_every: 1, output.name: all}}
start_from_previous: [{start}]
entries:
  - {{name: first}}
  - {{name: second, set: {{data.path: {second}, reconstruction.seed: 1}}}}
  - {{name: third, set: {{reconstruction.iterations: 3}}}}
"""


@pytest.fixture(autouse=True)
def _no_figures(monkeypatch):
    """Those of single runs have tests of their own and take most of a second."""
    tiny_run.without_pictures(monkeypatch)


def listed(folder, *, second="scan.h5", start=""):
    tiny_run.write(folder)
    path = folder / "list.yaml"
    path.write_text(LIST.format(second=second, start=start))
    return path


def batch(path, *arguments):
    return main(["batch", str(path), "--backend", "cpu", *arguments])


def test_every_entry_gets_what_its_own_run_would_give(tmp_path, capsys, monkeypatch):
    made = []
    select = backends.select
    monkeypatch.setattr(backends, "select", lambda *kind: made.append(kind) or select(*kind))
    path = listed(tmp_path)
    assert batch(path, "-q") == 0
    assert len(made) == 1, "one backend, with its kernels and plans, for all"
    folder = tmp_path / "runs" / "all"
    out = capsys.readouterr().out.splitlines()
    assert out[-1] == str(folder)
    assert [line.split()[:3] for line in out[:-1]] == [
        ["name", "status", "iterations"], ["first", "finished", "4"], ["second", "finished", "4"],
        ["third", "finished", "3"],
    ]  # fmt: skip
    rows = list(csv.DictReader((folder / "summary.csv").read_text().splitlines()))
    assert [row["name"] for row in rows] == ["first", "second", "third"]
    alone = ["recon", str(tmp_path / "tiny.yaml"), "--backend", "cpu", "-q", "--set", "output.name=alone"]
    assert main([*alone, "--set", "reconstruction.seed=1"]) == 0
    single, second = (
        load_result(tmp_path / "runs" / "alone" / "result.h5"),
        load_result(folder / "second" / "result.h5"),
    )
    np.testing.assert_array_equal(second.state.object_phase, single.state.object_phase)
    assert second.history.total == single.history.total
    assert float(rows[1]["loss"]) == pytest.approx(single.history.total[-1], rel=1e-5)
    assert (folder / "overview.png").stat().st_size > 1000


def test_a_failed_entry_is_reported_and_the_others_go_on(tmp_path, capsys):
    path = listed(tmp_path, second="absent.h5")
    assert batch(path) == 3
    captured = capsys.readouterr()
    assert "absent.h5: no such file" in captured.out
    assert "1 of 3 reconstructions failed" in captured.err
    folder = tmp_path / "runs" / "all"
    found = read_summary(folder / "summary.csv")
    assert [outcome.status for outcome in found.values()] == ["finished", "failed", "finished"]
    assert "did" in found["second"].reason or "holds" in found["second"].reason
    assert found["second"].exit_code == 3
    assert not (folder / "second").exists()


def test_a_defect_of_ours_in_one_entry_spares_the_others(tmp_path, capsys, monkeypatch):
    save, saved = run.save_result, []

    def broken(path, snapshot):
        saved.append(path.parent.name)
        if saved[-1] == "second":
            raise RuntimeError("a defect")
        save(path, snapshot)

    monkeypatch.setattr(run, "save_result", broken)
    assert batch(listed(tmp_path), "-q") == 1
    assert saved == ["first", "second", "third"]
    assert "internal error: RuntimeError: a defect" in capsys.readouterr().out
    assert "Traceback" in (tmp_path / "runs" / "all" / "second" / "run.log").read_text()


def test_resume_leaves_the_finished_alone_and_tries_the_failed_again(tmp_path, capsys):
    path = listed(tmp_path, second="late.h5")
    assert batch(path, "-q") == 3
    folder = tmp_path / "runs" / "all"
    before = (folder / "first" / "result.h5").stat().st_mtime_ns
    (tmp_path / "late.h5").write_bytes((tmp_path / "scan.h5").read_bytes())
    assert batch(path, "-q") == 2, "a folder that holds results is not used again by accident"
    assert "--resume" in capsys.readouterr().err
    assert batch(path, "-q", "--resume") == 0
    assert (folder / "first" / "result.h5").stat().st_mtime_ns == before
    found = read_summary(folder / "summary.csv")
    assert [(o.status, o.iterations, o.reason) for o in found.values()] == [
        ("finished", 4, ""), ("finished", 4, ""), ("finished", 3, ""),
    ]  # fmt: skip


def test_resume_of_an_unnamed_batch_finds_the_newest(tmp_path, capsys):
    path = listed(tmp_path)
    unnamed = ["-q", "--set", "output.name=null"]
    assert batch(path, *unnamed) == 0
    (folder,) = (tmp_path / "runs").iterdir()
    assert "_batch_list" in folder.name
    assert batch(path, *unnamed, "--resume") == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(folder)


def test_a_signal_ends_the_batch_and_tells_how_to_go_on(tmp_path):
    endless = ["--set", "reconstruction.iterations=100000"]
    process = tiny_run.start("batch", listed(tmp_path), "--backend", "cpu", *endless)
    for line in process.stderr:
        if line.startswith("iteration"):
            break
    process.send_signal(signal.SIGINT)
    out, told = process.communicate(timeout=30)
    assert process.returncode == 130, told
    assert "--resume --set output.name=all" in told
    assert [line.split()[1] for line in out.splitlines()[1:4]] == ["interrupted", "waiting", "waiting"]


def test_resume_of_an_interrupted_entry_is_the_batch_that_never_stopped(tmp_path, monkeypatch):
    from ptycupy.api import reconstruct_batch
    from ptycupy.reconstruction.callbacks import Quiet

    whole, cut = listed(tmp_path / "a", start="object, probe"), listed(tmp_path / "b", start="object, probe")
    assert batch(whole, "-q") == 0

    class Stop(Quiet):
        seen = 0

        def on_iteration(self, engine):
            self.seen += 1
            if self.seen == 6:
                signal.raise_signal(signal.SIGTERM)

    result = reconstruct_batch(cut, backend="cpu", callbacks=[Stop()])
    assert (result.exit_code, [o.status for o in result.outcomes]) == (143, ["finished", "interrupted", "waiting"])
    assert batch(cut, "-q", "--resume") == 0
    for name in ("first", "second", "third"):
        one, other = (load_result(tmp_path / which / "runs" / "all" / name / "result.h5") for which in "ab")
        np.testing.assert_array_equal(one.state.object_phase, other.state.object_phase)
        assert one.history.total == other.history.total


def test_an_entry_may_start_from_the_newest_finished_one(tmp_path):
    """The second fails, so that the third begins where the first ended."""
    path = listed(tmp_path, second="absent.h5", start="object, probe")
    assert batch(path, "-q") == 3
    first, third = (load_result(tmp_path / "runs" / "all" / n / "result.h5") for n in ("first", "third"))
    assert third.history.total[0] < first.history.total[-1]
    assert str(tmp_path / "runs" / "all" / "first" / "result.h5") in third.config


def test_a_signal_while_data_are_read_stops_at_once(tmp_path, monkeypatch):
    from ptycupy.api import session

    prepare, prepared = session.prepare, []

    def stop(*given):
        prepared.append(given)
        if len(prepared) == 2:
            signal.raise_signal(signal.SIGTERM)
        return prepare(*given)

    monkeypatch.setattr(session, "prepare", stop)
    assert batch(listed(tmp_path), "-q") == 143
    found = read_summary(tmp_path / "runs" / "all" / "summary.csv")
    assert [outcome.status for outcome in found.values()] == ["finished", "interrupted", "waiting"]
    assert not (tmp_path / "runs" / "all" / "second").exists()
