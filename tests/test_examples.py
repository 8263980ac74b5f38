"""The scripts in configs/examples run as they are, and what they claim is true."""

import os
import runpy
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

CONFIGS = Path(__file__).parents[1] / "configs"
SCRIPTS = sorted(path.name for path in (CONFIGS / "examples").glob("*.py"))


def run(name, folder, monkeypatch):
    """The names that a script leaves, run in a folder with the shipped configurations."""
    os.symlink(CONFIGS, folder / "configs")
    monkeypatch.chdir(folder)
    return runpy.run_path(str(CONFIGS / "examples" / name))


def drawn(path):
    """The pixels of a picture that shows something."""
    pixels = np.asarray(Image.open(path).convert("L"), float)
    assert pixels.std() > 10
    return pixels


def test_all_of_them_are_tested():
    assert SCRIPTS == ["first_reconstruction.py", "own_parts.py", "simulate_and_compare.py"]


@pytest.mark.parametrize("name", SCRIPTS)
def test_they_are_notebooks(name):
    cells = (CONFIGS / "examples" / name).read_text(encoding="utf-8").split("\n# %%")
    assert cells[0].startswith("# %% [markdown]\n# # ")
    assert len(cells) > 4


def test_first_reconstruction(tmp_path, monkeypatch):
    left = run("first_reconstruction.py", tmp_path, monkeypatch)
    result = left["result"]
    losses = result.history.total
    assert len(losses) == 6
    assert losses[-1] < 0.9 * losses[0]
    assert result.scores["correlation"] > 0.5
    np.testing.assert_array_equal(left["again"].state.probe, result.state.probe)
    drawn(result.folder / "mine.png")


def test_own_parts(tmp_path, monkeypatch):
    left = run("own_parts.py", tmp_path, monkeypatch)
    assert max(left["errors"]) < 1e-6
    off, engines = left["off"], left["engines"]
    assert off["robust"] < 0.03
    assert off["robust"] < 0.5 * off["usual"]
    assert engines["robust"].iteration < left["MOST"]  # the callback ended it
    phase = engines["robust"].state.object_phase
    assert phase.min() >= 0
    assert phase.max() <= np.float32(left["CEILING"])
    drawn(tmp_path / "runs" / "own_parts.png")


def test_simulate_and_compare(tmp_path, monkeypatch):
    left = run("simulate_and_compare.py", tmp_path, monkeypatch)
    low, high = (result.comparison for result in left["results"].values())
    assert high.correlation > low.correlation
    assert high.ssim > low.ssim
    coarse, fine = (curve.resolution_angstrom("half_bit") for curve in left["curves"].values())
    assert fine < coarse
    drawn(left["result"].folder / "doses.png")
