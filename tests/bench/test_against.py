"""The comparison with PtyRAD, as far as it goes without PtyRAD."""

import importlib.util
import json
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from ptycupy.bench import quality

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def load(name):
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", BENCHMARKS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def against():
    return load("against_ptyrad")


JOB = {"modes": 4, "slices": 6, "batch": 16, "scan": 24}


def test_summary(against):
    rate = against.FftRate("rocket-fft", 8, 1e-4, 40.0)
    turns = {
        "ptycupy": [{"seconds": [9.0, 2.0, 2.0]}, {"seconds": [9.0, 2.0, 4.0]}],
        "ptyrad": [{"seconds": [9.0, 5.0]}],
        "ptyrad compiled": [{"failed": "InvalidCxxCompiler: none"}],
    }
    found = against.summarise(turns, JOB, [rate])
    assert found["median_seconds_per_iteration"] == {"ptycupy": 2.0, "ptyrad": 5.0, "ptyrad compiled": None}
    assert found["ratio"] == {"ptyrad": 2.5, "ptyrad compiled": None}
    assert found["failed"] == {"ptyrad compiled": "InvalidCxxCompiler: none"}
    flops = 4 * 6 * 576 * 4 * 5 * 128**2 * 14  # transforms per wave x waves x 5 N log2 N
    assert found["transforms"]["flops_per_iteration"] == flops
    assert found["transforms"]["share_of_best"]["ptycupy"] == pytest.approx(flops / 2.0 / 40e9)
    json.dumps(found)


def test_worker_answers_with_the_reason(against):
    """This interpreter has no PtyRAD: the answer says so, and the next job is taken."""
    worker = against.Worker(sys.executable)
    for _ in range(2):
        assert "No module named" in worker.ask(JOB)["failed"]
    worker.close()


@pytest.mark.parametrize("name", ["phaser", "py4dstem"])
def test_workers_of_other_programs_answer_with_the_reason(against, monkeypatch, name):
    """The first iteration of a turn is not counted, and a program that is not here has no median."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    others = load("against_others")
    worker = against.Worker(sys.executable, f"{name}_worker.py")
    answer = worker.ask(JOB)
    worker.close()
    assert "No module named" in answer["failed"]
    assert others.median([answer]) is None
    assert others.median([{"seconds": [9.0, 2.0]}, answer, {"seconds": [9.0, 4.0]}]) == 3.0


def test_our_own_turn_takes_the_job_that_others_get(against, monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    engine = against.own_engine(load("against_others").job_of(batch=4, modes=2, slices=1, iterations=1))
    assert engine.settings.batch_size == 4
    assert engine.parameters.probe.shape[0] == 2


def test_reaching_stops_the_engine(against, monkeypatch):
    scores = iter([0.1, 0.5, 0.9])
    score = {"correlation": 0.0}
    monkeypatch.setattr(quality, "score_result", lambda *_: type("Score", (), {**score, "ssim": next(scores)}))
    engine = type("Engine", (), {"stop_requested": False, "iteration": 1, "snapshot": lambda self: None})()
    watch = against.Reaching(Path("truth.h5"), 0.5)
    watch.on_iteration(engine)
    assert not engine.stop_requested
    watch.on_iteration(engine)
    assert engine.stop_requested
    assert watch.ssim == [0.1, 0.5]


def test_a_larger_scan_repeats_the_patterns(against):
    with against.repeated(25) as data, h5py.File(data) as file, h5py.File(against.DATA) as few:
        assert file["dp"].shape == (625, 128, 128)
        np.testing.assert_array_equal(file["dp"][576 + 3], few["dp"][...].reshape(-1, 128, 128)[3])
    assert not data.exists()
    with against.repeated(24) as data:
        assert data == against.DATA
