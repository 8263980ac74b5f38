"""benchmarks/plot.py on a small record: every figure is drawn, and nothing where nothing was measured."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from ptycupy.bench.quality import packed

PLOT = Path(__file__).parents[2] / "benchmarks" / "plot.py"


@pytest.fixture(scope="module")
def plot():
    sys.path.insert(0, str(PLOT.parent))
    spec = importlib.util.spec_from_file_location("benchmark_plot", PLOT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.path.remove(str(PLOT.parent))
    return module


def row(**changes):
    point = {"batch": 16, "modes": 1, "slices": 3, "window": 128, "seconds_per_iteration": 2.0, "deviation": 0.1}
    return {**point, **changes}


LOAD = {name: {"mean": 50.0, "max": 90.0} for name in ("gpu_percent", "memory_mib", "temperature_c", "power_w")}


def record():
    image = np.linspace(0, 1, 12).reshape(3, 4)
    run = {
        "batch": 16,
        "seconds": [1.0, 2.0],
        "ssim": [0.1, 0.2],
        "images": {"1": packed(image), "truth": packed(image)},
    }
    failed = {"batch": 32, "modes": 1, "slices": 3, "window": 128, "failed": "no room"}
    return {
        "device": "cpu",
        "date": "2026-01-01",
        "machine": {"processor": "one", "cores": 2},
        "ceilings": {"copy_gb_per_s": 10.0, "transforms": [{"gflops": 40.0}]},
        "ops": {**row(), "rows": [{"op": "adam", "gb_per_s": 8.0, "transform_gflops": 0.0}]},
        "iteration": {
            "figure 3b": [row(load=LOAD), row(batch=64, deviation=None, load=LOAD), failed],
            "figure 3c": [row(), row(modes=4)],
            "figure 3d": [row(), row(slices=6)],
            "window": [row(), row(window=256)],
        },
        "paper": {
            "table s5": [row(modes=12), failed],
            "figure s5": [row(), row(batch=32), row(modes=3), row(slices=1), failed],
            "figure s7": [row(batch=256, modes=12, slices=1)],
        },
        "quality": [run, {**run, "batch": 64, "images": {}}],
    }


def comparison():
    """As against_ptyrad.py writes it: its `quality` has another form than that of `ptycupy bench`."""
    return {
        **{key: record()[key] for key in ("device", "date", "machine")},
        "job": {"batch": 16, "modes": 4, "slices": 6},
        "median_seconds_per_iteration": {"ptycupy": 1.0, "ptyrad": 3.0, "ptyrad compiled": None},
        "turns": {"ptycupy": [{"seconds": [9.0, 1.0]}], "ptyrad": [{"seconds": [4.0, 3.0]}], "ptyrad compiled": [{}]},
        "quality": {"ssim": {"ptyrad": 0.5}, "seconds": {"ptyrad": 60.0, "ptycupy": None}},
    }


def scaling():
    """As threads.py writes it."""
    head = {key: record()[key] for key in ("device", "date", "machine")}
    gained = {"1": 1.0, "2": 1.9}
    return {**head, "batch": 16, "speedup": gained, "speedup_of_the_fastest": gained, "efficiency": gained}


def test_every_figure(plot, tmp_path):
    others = {**comparison(), "quality": None, "median_seconds_per_iteration": {"ptycupy": 1.0, "py4dstem": 90.0}}
    others["turns"] = {"ptycupy": [{"seconds": [2.0, 1.0], "peak_mib": 500.0}], "py4dstem": [{"seconds": [99.0, 90.0]}]}
    files = plot.draw([comparison(), record(), record(), others, comparison(), scaling()], tmp_path)
    names = {file.stem for file in files}
    assert names == {
        "figure_3a",
        "figure_3b",
        "figure_3c",
        "figure_3d",
        "windows",
        "figure_s4",
        "figure_s5",
        "figure_s6",
        "presets",
        "load",
        "ops",
        "threads",
        "against_ptyrad",
        "against_ptyrad_2",
        "against_others",
    }
    assert all(file.stat().st_size > 5000 for file in files)


def test_only_what_was_measured(plot, tmp_path):
    head = {key: value for key, value in record().items() if key in ("device", "date", "machine", "ceilings")}
    assert plot.draw([head], tmp_path) == []


def test_images_come_back(plot):
    image = np.random.default_rng(0).uniform(-1, 2, (5, 7))
    np.testing.assert_allclose(plot.unpacked(packed(image)), image, atol=3 / 255)
