"""ptycupy inside phaserEM 0.3.1 (an engine of its plans) and pty-chi 2.2.0 (a forward model of its reconstructors).

The interpreters that PTYCUPY_PHASER_ENGINE_PYTHON and PTYCUPY_PTYCHI_PYTHON name need ptycupy's dependencies too.
"""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from interop.elsewhere import interpreter
from interop.test_result_elsewhere import patterns
from snapshots import make

import ptycupy

pytestmark = pytest.mark.interop
HERE = Path(__file__).parent


def run(package, script, *arguments):
    environment = {**os.environ, "PYTHONPATH": str(HERE.parents[1])}
    environment.pop("PYTHONWARNINGS", None)
    command = [interpreter(package), str(HERE / script), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=500, check=False)
    assert done.returncode == 0, done.stderr


def test_a_plan_of_phaser_names_the_engine(tmp_path):
    snapshot = make()
    measured = np.fft.fftshift(patterns(snapshot), axes=(-2, -1))
    np.save(tmp_path / "patterns.npy", measured.reshape(4, 5, 16, 16).astype(np.float32))
    blank = snapshot.state.replace(object_phase=0 * snapshot.state.object_phase)
    started = ptycupy.export(type(snapshot)(**{**vars(snapshot), "state": blank}), tmp_path / "state.h5", "phaser").path
    run("phaser_engine", "run_phaser_engine.py", started, tmp_path / "patterns.npy", tmp_path / "seen.npz")
    seen = np.load(tmp_path / "seen.npz")
    assert seen["losses"][-1] < seen["losses"][0]
    np.testing.assert_array_equal(seen["progress"], seen["losses"])
    assert seen["iterations"] == 4
    assert seen["calls"].tolist() == ["gaussian", "finish"]
    assert seen["moved"][1] < 1e-5  # angstrom: positions are refined from the third iteration on
    assert seen["moved"][2] > 1e-3
    assert tuple(seen["object"].shape[1:]) == tuple(seen["shape"])
    assert seen["scan"].shape == (4, 5, 2)
    power = np.sum(np.abs(seen["probe"]) ** 2) / np.sum(np.abs(snapshot.state.probe) ** 2)
    assert power == pytest.approx(1, rel=0.05)  # it was scaled for the engine, and back


def test_the_forward_model_of_ptychi(tmp_path):
    run("ptychi", "run_ptychi.py", tmp_path / "seen.npz", 2)
    seen = np.load(tmp_path / "seen.npz")
    assert [str(seen[f"{name}_model"]) for name in ("theirs", "ours")] == [
        "PlanarPtychographyForwardModel", "PtycupyForwardModel"]  # fmt: skip
    np.testing.assert_allclose(seen["ours_first"], seen["theirs_first"], atol=1e-5 * seen["theirs_first"].max())
    np.testing.assert_allclose(seen["ours_losses"], seen["theirs_losses"], rtol=1e-3)  # Adam takes rounding for signs
