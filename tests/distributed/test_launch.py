"""Real processes under mpiexec: one reconstruction, one voice, one end."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import live_page
import numpy as np
import pytest
import tiny_run

from ptycupy.analysis.halves import read_halves
from ptycupy.api import reconstruct, reconstruct_batch, run
from ptycupy.api.halves import measure_resolution
from ptycupy.errors import ResourceError
from ptycupy.reconstruction.checkpoint import list_checkpoints
from ptycupy.storage.result import load_result

pytest.importorskip("mpi4py", reason="mpi4py is not installed: pip install 'ptycupy[mpi]'")
MPIEXEC = shutil.which("mpiexec") or shutil.which("mpiexec", path=str(Path(sys.executable).parent))
if MPIEXEC is None:
    pytest.skip("there is no mpiexec", allow_module_level=True)
TOLERANCE = 1e-9  # in double precision; in single, Adam carries the rounding of dark pixels far

# Leaves pid and exit code of each rank; mpiexec tells the survivors of a death by SIGUSR1.
WRAPPER = """\
import os, pathlib, signal, subprocess, sys
signal.signal(signal.SIGUSR1, lambda *_: None)
here = pathlib.Path(sys.argv[1])
rank = os.environ["PMI_RANK"]
ptycupy = subprocess.Popen([sys.executable, "-m", "ptycupy", *sys.argv[2:]], close_fds=False)
(here / f"pid.{rank}").write_text(str(ptycupy.pid))
(here / f"code.{rank}").write_text(str(ptycupy.wait()))
"""

# Figures have tests of their own and take seconds.
PLAIN = """\
import sys
from ptycupy.api import run
from ptycupy.cli import main
run.write_outputs = lambda *given, **named: None
sys.exit(main(sys.argv[1:]))
"""


def mpiexec(*arguments: object, options: tuple[str, ...] = (), ranks: int = 2) -> subprocess.Popen[str]:
    command = [str(MPIEXEC), *options, "-n", str(ranks), sys.executable, *map(str, arguments)]
    environment = {**os.environ, "NUMBA_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True
    )


def recon(config: Path, *settings: str, options: tuple[str, ...] = (), ranks: int = 2) -> tuple[int, str, str]:
    arguments = [part for setting in settings for part in ("--set", setting)]
    process = mpiexec("-c", PLAIN, "recon", config, "--backend", "cpu", *arguments, *options, ranks=ranks)
    out, err = ended(process)
    return process.returncode, out, err


def ended(process: subprocess.Popen[str]) -> tuple[str, str]:
    """What it printed; ranks that wait for each other for ever are not left behind, and what they said is told."""
    try:
        return process.communicate(timeout=300)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        pytest.fail("after 300 s it still ran, and had said:\n" + "".join(process.communicate()))
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


@pytest.mark.parametrize(
    ("where", "ranks"), [("shared", 2), ("tiled", 2), pytest.param("tiled", 4, marks=pytest.mark.slow)]
)
def test_ranks_are_one_run_with_one_voice_and_any_number_resumes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, ranks: int
) -> None:
    config = tiny_run.write(tmp_path, iterations=10)
    refined = ("model.dtype=float64", "optimizer.shifts=1e-2", "reconstruction.batch_size=5")
    if where == "shared":
        refined += ("data.residency=disk",)  # which may differ from what the run alone does
    filters = "{name: lateral_low_pass, radius: 0.6}, {name: frequency_threshold, thresh: 0.5}, "
    constraints = f"[{{name: lateral_blur}}, {filters if where == 'tiled' else ''}{{name: positive_phase}}]"
    refined += (f"distributed.object={where}", f"constraints={constraints}")
    code, out, err = recon(config, *refined, "output.name=two", ranks=ranks)
    folder = tmp_path / "runs" / "two"
    assert (code, out) == (0, f"{folder}\n"), err
    assert err.count("run folder") == 1
    assert f"{ranks} ranks with up to {16 // ranks} of 16 patterns each" in err
    assert ("px lies in" in err) == (where == "tiled")
    assert ("on disk; all pass through" in err) == (where == "shared")
    two = load_result(folder / "result.h5")
    monkeypatch.setattr(run, "write_outputs", lambda *given, **named: None)
    alone = [setting for setting in refined if "residency" not in setting]
    reconstruct(config, overrides=[*alone, "output.name=one"], backend="cpu")
    one = load_result(tmp_path / "runs" / "one" / "result.h5")
    assert two.data_fingerprint == one.data_fingerprint
    for name, value in one.state.items():
        np.testing.assert_allclose(
            getattr(two.state, name), value, rtol=0, atol=TOLERANCE * max(np.abs(value).max(initial=0), 1), err_msg=name
        )
    for path in [folder / "result.h5", *list_checkpoints(folder)[1:]]:
        path.unlink()
    code, _, err = recon(config, *refined, "output.name=two", options=("--resume",), ranks=ranks)
    assert code == 0, err
    assert "resumed after iteration 8" in err
    resumed = load_result(folder / "result.h5")
    assert resumed.iteration == 10
    for name, value in two.state.items():
        np.testing.assert_array_equal(getattr(resumed.state, name), value, err_msg=name)


def test_the_live_page_steers_all_ranks_in_the_same_iteration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A checkpoint each time keeps it to some fifty iterations: in thousands Adam makes much of rounding.
    config = tiny_run.write(tmp_path, iterations=1_000_000, checkpoint_every=1)
    double = ("--set", "model.dtype=float64", "--set", "optimizer.shifts=1e-2")
    process = mpiexec(
        "-c", PLAIN, "recon", config, "--backend", "cpu", "-q", "--live", *double,
        "--set", "output.name=two",
    )  # fmt: skip
    try:
        page = live_page.announced(process.stderr)
        order = partial(live_page.order, page)
        live_page.events(page, enough=lambda found: found["status"].get("iteration", 0) >= 2)
        assert order(do="pause")[0] == 200
        live_page.events(page, enough=lambda found: found["status"]["state"] == "paused")
        assert order(do="set", key="optimizer.probe.learning_rate", value="5e-3")[0] == 200
        assert order(do="continue")[0] == 200
        look = live_page.events(page, ("status", "look"), enough=lambda found: found["look"]["iteration"] > 4)["look"]
        assert look["positions"]["count"] == 16
        assert order(do="finish")[0] == 200
        _, err = ended(process)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0, err
    two = load_result(tmp_path / "runs" / "two" / "result.h5")
    (change,) = two.changes
    rates = two.history.learning_rates["probe"]
    assert (rates[change.iteration - 1], rates[change.iteration]) == (1e-3, 5e-3)
    # The same by one process that is stopped and goes on with the other rate.
    tiny_run.without_pictures(monkeypatch)
    same = ["model.dtype=float64", "optimizer.shifts=1e-2", "output.name=one"]
    reconstruct(config, overrides=[*same, f"reconstruction.iterations={change.iteration}"], backend="cpu")
    later = ["optimizer.probe.learning_rate=5e-3", f"reconstruction.iterations={two.iteration}"]
    one = reconstruct(config, overrides=[*same, *later], backend="cpu", resume=True).state
    for name in ("probe", "object_phase", "shifts"):
        value = getattr(one, name)
        np.testing.assert_allclose(
            getattr(two.state, name), value, rtol=0, atol=TOLERANCE * max(np.abs(value).max(), 1), err_msg=name
        )


def test_halves_are_shared_by_all_ranks_and_correlated_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tiny_run.write_wider(tmp_path, iterations=3)
    process = mpiexec(
        "-c", PLAIN, "resolution", config, "--backend", "cpu", "--set", "model.dtype=float64",
        "--set", "output.name=two",
    )  # fmt: skip
    out, err = ended(process)
    assert process.returncode == 0, err
    folder = tmp_path / "runs" / "two"
    assert out.splitlines()[-1] == str(folder)
    assert out.count("half of the counts each") == 1
    assert err.count("2 ranks with up to") == 2
    tiny_run.without_pictures(monkeypatch)
    alone = measure_resolution(config, backend="cpu", overrides=["model.dtype=float64", "output.name=one"])
    assert alone.halves is not None
    curve = read_halves(folder / "frc.json").curve.correlation
    np.testing.assert_allclose(curve, alone.halves.curve.correlation, rtol=0, atol=1e-6)


def batch(tmp_path: Path, text: str, *options: str) -> tuple[int, str, str]:
    """A list of two reconstructions under two ranks, of three iterations each."""
    path = tmp_path / "list.yaml"
    if not path.exists():  # when it goes on, the data may still be open in this process
        path.write_text(f"base: {tiny_run.write(tmp_path, iterations=3).name}\n{text}")
    process = mpiexec(
        "-c", PLAIN, "batch", path, "--backend", "cpu", "--set", "output.name=all", *options,
        "--set", "model.dtype=float64",
    )  # fmt: skip
    out, err = ended(process)
    return process.returncode, out, err


def test_a_list_goes_on_with_all_ranks_where_one_entry_fails(tmp_path: Path) -> None:
    lost = "{name: lost, set: {data.path: nowhere.h5}}"
    code, out, err = batch(tmp_path, f"entries: [{lost}, {{name: good}}]\n")
    folder = tmp_path / "runs" / "all"
    assert code == 3, err
    assert out.count(str(folder)) == 1
    assert err.count("lost failed: ") == 1
    assert "nowhere.h5" in (folder / "summary.csv").read_text()
    assert load_result(folder / "good" / "result.h5").iteration == 3
    config = tmp_path / "tiny.yaml"
    done = reconstruct(config, overrides=["output.name=one", "model.dtype=float64"], backend="cpu")
    two, one = load_result(folder / "good" / "result.h5").state, done.state
    np.testing.assert_allclose(two.object_phase, one.object_phase, rtol=0, atol=TOLERANCE)


def test_scans_that_share_something_are_one_reconstruction_of_all_ranks(tmp_path: Path) -> None:
    """Of two scans of 16 patterns, with positions that are refined; what was saved after two iterations goes on."""
    refined = "reconstruction.checkpoint_every: 2, optimizer.shifts: 1e-2, reconstruction.batch_size: 5"
    text = f"set: {{{refined}}}\nshare: [probe]\nentries: [{{name: a}}, {{name: b, set: {{data.path: second.h5}}}}]\n"
    tiny_run.write(tmp_path, seed=1)
    (tmp_path / "scan.h5").rename(tmp_path / "second.h5")
    code, out, err = batch(tmp_path, text)
    folder = tmp_path / "runs" / "all"
    assert (code, out.count(str(folder))) == (0, 1), err
    assert err.count("2 ranks with up to 8 of 16 patterns each") == 2, err
    many = [load_result(folder / name / "result.h5") for name in "ab"]
    np.testing.assert_array_equal(many[0].state.probe, many[1].state.probe)
    given = ["output.name=one", "model.dtype=float64", "output.preview_seconds=null"]
    reconstruct_batch(tmp_path / "list.yaml", overrides=given, backend="cpu")
    for name, two in zip("ab", many, strict=True):
        one = load_result(tmp_path / "runs" / "one" / name / "result.h5")
        np.testing.assert_allclose(two.history.total, one.history.total, rtol=TOLERANCE)
        for field, value in one.state.items():
            np.testing.assert_allclose(
                getattr(two.state, field), value, rtol=0, atol=TOLERANCE * max(np.abs(value).max(initial=0), 1)
            )
        for path in [folder / name / "result.h5", *list_checkpoints(folder / name)[1:]]:
            path.unlink()
    code, _, err = batch(tmp_path, text, "--resume")
    assert code == 0, err
    assert err.count("resumed after iteration 2") == 2
    for name, two in zip("ab", many, strict=True):
        again = load_result(folder / name / "result.h5")
        for field, value in two.state.items():
            np.testing.assert_array_equal(getattr(again.state, field), value)


def test_scans_that_share_something_do_not_lie_in_tiles(tmp_path: Path) -> None:
    text = "share: [probe]\nentries: [{name: a}, {name: b}]\n"
    code, _, err = batch(tmp_path, text, "--set", "distributed.object=tiled")
    assert code == 2
    assert err.count("distributed.object: tiled is for single scans") == 1


def test_refusals_are_said_once(tmp_path: Path) -> None:
    config = tiny_run.write(tmp_path)
    code, out, err = recon(config, "data.path=nowhere.h5")
    assert (code, out) == (3, "")
    assert err.count("nowhere.h5") == 1, err


def test_ranks_that_see_different_data_stop_with_exit_code_4(tmp_path: Path) -> None:
    """Every rank has a data set of its own under the same path: the folder that it runs in."""
    for rank in range(2):
        tiny_run.write(tmp_path / str(rank), seed=rank)
    code = (
        "import os, sys; os.chdir(os.path.join(sys.argv[1], os.environ['PMI_RANK']));"
        "from ptycupy.cli import main;"
        "sys.exit(main(['recon', 'tiny.yaml', '--backend', 'cpu', '--set', 'data.path=scan.h5', '--set',"
        " f'output.folder={sys.argv[1]}/runs', '--set', 'illumination.path=scan.h5', '--set', 'scan.path=scan.h5']))"
    )
    process = mpiexec("-c", code, tmp_path)
    _, err = ended(process)
    assert process.returncode == ResourceError.exit_code, err
    assert err.count("rank 1 (on ") == 1, err
    assert "do not have the same data set: fingerprint" in err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("options", "where"),
    [(("-disable-auto-cleanup",), "shared"), (("-disable-auto-cleanup",), "tiled"), ((), "shared")],
    ids=["left alone", "left alone, tiled", "default launcher"],
)
def test_a_killed_rank_ends_the_other_and_leaves_a_checkpoint(
    tmp_path: Path, options: tuple[str, ...], where: str
) -> None:
    config = tiny_run.write(tmp_path, iterations=1_000_000, checkpoint_every=2)
    wrapper = tmp_path / "wrapper.py"
    wrapper.write_text(WRAPPER)
    process = mpiexec(
        wrapper, tmp_path, "recon", config, "--backend", "cpu", "--set", "output.name=run",
        "--set", f"distributed.object={where}", options=options,
    )  # fmt: skip
    folder = tmp_path / "runs" / "run"
    try:
        until = time.monotonic() + 240
        while time.monotonic() < until and not (folder.is_dir() and len(list_checkpoints(folder)) == 2):
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
        killed = time.monotonic()
        os.kill(int((tmp_path / "pid.1").read_text()), signal.SIGKILL)
        _, err = process.communicate(timeout=30)
        assert time.monotonic() - killed < 30
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    if options:
        assert (tmp_path / "code.0").read_text() == str(ResourceError.exit_code)
        assert f"rank 1 is gone; rank 0 stops too. What is saved in {folder} stays" in err
    newest = load_result(list_checkpoints(folder)[-1])
    assert newest.iteration % 2 == 0
    assert np.isfinite(newest.state.object_phase).all()
