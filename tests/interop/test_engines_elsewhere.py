"""ptycupy inside phaserEM 0.3.1 (an engine of its plans) and pty-chi 2.2.0 (a forward model of its reconstructors).

The interpreters that PTYCUPY_PHASER_ENGINE_PYTHON and PTYCUPY_PTYCHI_PYTHON name need ptycupy's dependencies too.
"""

import json
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


@pytest.mark.parametrize(
    "where",
    [
        ("numpy", "cpu"),
        pytest.param(("cupy", "cuda"), marks=pytest.mark.gpu),
        pytest.param(("jax", "cuda"), marks=pytest.mark.gpu),
    ],
    ids=str,
)
def test_a_plan_of_phaser_names_the_engine(tmp_path, where, monkeypatch):
    if where[1] == "cuda":
        monkeypatch.setenv("JAX_PLATFORMS", "cuda")
    snapshot = make()
    measured = np.fft.fftshift(patterns(snapshot), axes=(-2, -1))
    np.save(tmp_path / "patterns.npy", measured.reshape(4, 5, 16, 16).astype(np.float32))
    blank = snapshot.state.replace(object_phase=0 * snapshot.state.object_phase)
    started = ptycupy.export(type(snapshot)(**{**vars(snapshot), "state": blank}), tmp_path / "state.h5", "phaser").path
    run("phaser_engine", "run_phaser_engine.py", started, tmp_path / "patterns.npy", tmp_path / "seen.npz", *where)
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


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"slices": 1},
        {"variations": 3},
        {"forward": {"diffraction_pattern_blur_sigma": 0.6}},
        pytest.param({"device": "GPU"}, marks=pytest.mark.gpu),
    ],
    ids=["slices", "one slice", "OPR modes", "blur", "GPU"],
)
def test_gradients_and_a_step_are_those_of_ptychi_s_own_model(tmp_path, changes):
    """Of object, probe, positions, spacings and OPR weights, from random objects; single precision on both sides."""
    run("ptychi", "ptychi_gradients.py", tmp_path / "seen.npz", json.dumps(changes))
    seen = np.load(tmp_path / "seen.npz")
    names = [key.removeprefix("theirs/") for key in seen if key.startswith("theirs/")]
    refined = 2 * (3 + (changes.get("slices", 3) > 1) + (changes.get("variations", 1) > 1))
    assert len(names) == 1 + refined
    for name in names:
        theirs, ours = seen[f"theirs/{name}"], seen[f"ours/{name}"]
        assert np.linalg.norm(theirs) > 0, name
        # pty-chi keeps the carrier exp(i k dz), whose share of the spacings' gradient cancels but for its rounding
        rtol = 5e-3 if "spacings" in name else 1e-5
        assert np.linalg.norm(ours - theirs) <= rtol * np.linalg.norm(theirs), name
