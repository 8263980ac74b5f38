"""Single trials: how they fail, and what their objectives are."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scenes import random_scene
from tune.small import load_study, small_config, table

from ptycupy import Engine, Settings, backends, functional
from ptycupy.config import load_config
from ptycupy.errors import DataError, DivergenceError, MemoryShortage, ResourceError
from ptycupy.experiment.selection import only
from ptycupy.tune import trial, tune, worker
from ptycupy.tune.data import SharedData
from ptycupy.tune.objectives import contrast, held_out, held_out_loss


# --- how they fail --------------------------------------------------------------------------------------------
def test_fault_64_a_trial_that_diverges_or_runs_out_of_memory_fails_with_its_reason(tmp_path, monkeypatch, caplog):
    run, number = worker.run_trial, iter(range(100))

    def troubled(*arguments):
        error = {1: DivergenceError("the loss became nan"), 2: MemoryShortage("8 GB asked for"), 3: MemoryError("no")}
        if (which := next(number)) in error:
            raise error[which]
        return run(*arguments)

    monkeypatch.setattr(worker, "run_trial", troubled)
    found = tune(small_config(tmp_path, trials=6))
    assert [one.state.name for one in found.study.trials] == ["COMPLETE", *["FAIL"] * 3, *["COMPLETE"] * 2]
    reasons = [row["reason"] for row in table(found.folder)]
    assert reasons == ["", "the loss became nan", "8 GB asked for", "out of memory: no", "", ""]
    assert "trial 1 failed: the loss became nan" in caplog.text


def test_fault_64_a_real_divergence_does_not_end_the_study(tmp_path):
    space = {"optimizer.object_phase": {"choices": [1e-2, 1e30]}}
    sampler = {"name": "grid"}
    found = tune(small_config(tmp_path, trials=9, space=space, sampler=sampler, iterations=2))
    assert sorted(one.state.name for one in found.study.trials) == ["COMPLETE", "FAIL"]
    (reason,) = [one.user_attrs["reason"] for one in found.study.trials if one.state.name == "FAIL"]
    assert re.search(r"the loss became|not finite", reason)


def test_fault_64_ten_failures_in_a_row_abort(tmp_path, monkeypatch):
    calls = []

    def troubled(*arguments):
        calls.append(1)
        if len(calls) == 3:
            return trial.Outcome([1.0], 1, False, np.zeros((4, 4), np.float32), None)
        raise ResourceError("no room")

    monkeypatch.setattr(worker, "run_trial", troubled)
    with pytest.raises(ResourceError, match="10 trials in a row failed, the last one with: no room"):
        tune(small_config(tmp_path, trials=50))
    assert len(calls) == 13  # two, a good one, and ten
    assert len(load_study(tmp_path).trials) == 13


def test_a_defect_ends_the_worker_and_its_trial_is_queued_again(tmp_path, monkeypatch):
    def broken(*arguments):
        raise ZeroDivisionError("ours")

    config = small_config(tmp_path, trials=1)
    with monkeypatch.context() as patch:
        patch.setattr(worker, "run_trial", broken)
        with pytest.raises(ZeroDivisionError):
            tune(config)
    study = tune(config).study
    assert [one.state.name for one in study.trials] == ["FAIL", "COMPLETE"]
    assert study.trials[1].params == study.trials[0].params
    assert len(table(tmp_path / "runs" / "small")) == 1


# --- objectives -----------------------------------------------------------------------------------------------
def test_held_out_patterns_are_never_used_for_gradients(tmp_path, monkeypatch):
    seen = []
    begin = trial._engines

    def watched(*arguments):
        engines = begin(*arguments)
        seen.extend(engines)
        return engines

    monkeypatch.setattr(trial, "_engines", watched)
    space = {"reconstruction.batch_size": {"low": 4, "high": 8}}
    config = small_config(tmp_path, trials=3, objectives="held_out_loss", held_out_fraction=0.25, space=space)
    found = tune(config).study
    kept = [sorted(set(range(16)) - set(engine.used.tolist())) for engine in seen]
    assert len(kept[0]) == 4
    assert kept == [kept[0]] * 3  # the same ones in every trial
    assert all(np.isfinite(one.value) and one.value > 0 for one in found.trials)


def test_the_held_out_loss_is_that_of_the_patterns_themselves(cpu_backend):
    problem, state = random_scene(positions=6, slices=2)
    kept = np.array([1, 4], np.int32)
    losses = {"gaussian": {"weight": 0.7}, "sparsity": {"weight": 3.0}}
    engine = Engine(
        only(problem, np.isin(np.arange(6), kept, invert=True)),
        state,
        Settings(losses),
        cpu_backend("float64"),
        "float64",
    )
    expected, _ = functional.loss_and_gradients(
        problem, state, kept, {"gaussian": {"weight": 0.7}}, backend="cpu", dtype="float64"
    )
    assert held_out_loss(engine, kept) == pytest.approx(expected.total, rel=1e-12)


def test_contrast_is_right_for_several_object_modes(cpu_backend):
    problem, state = random_scene(positions=6, object_modes=2, slices=3)
    engine = Engine(problem, state, Settings({"gaussian": {}}), cpu_backend("float64"), "float64")
    corners, window = np.asarray(problem.corners), np.array(state.probe.shape[-2:])
    (top, left), (bottom, right) = (corners + window // 2).min(axis=0), (corners + window // 2).max(axis=0)
    weights = np.full(2, 0.5) if problem.object_occupancy is None else np.asarray(problem.object_occupancy)
    image = np.einsum("o,ozyx->yx", weights / weights.sum(), state.object_phase)[top : bottom + 1, left : right + 1]
    image = image - image.min()
    assert contrast(engine) == pytest.approx(-image.std() / image.mean(), rel=1e-6)


# --- objectives that do not compare with patterns ---------------------------------------------------------------
def test_a_trial_that_explains_the_patterns_no_better_than_its_start_fails_by_contrast(tmp_path):
    """Contrast is a ratio: of the gradient of a first step as good as of a specimen."""
    space = {"optimizer.object_phase": {"choices": [1e-2, 1e-12]}}
    given = {"objectives": ["contrast"], "space": space, "sampler": "grid", "trials": 2, "iterations": 4}
    overrides = ("optimizer.object_amplitude=0", "optimizer.probe=0", "optimizer.shifts=0")
    found = tune(small_config(tmp_path, overrides, **given, required_gain=0.001)).study
    by_rate = {one.params["optimizer.object_phase"]: one for one in found.trials}
    assert by_rate[1e-2].state.name == "COMPLETE"
    assert by_rate[1e-12].state.name == "FAIL"
    reason = by_rate[1e-12].user_attrs["reason"]
    assert re.fullmatch(
        r"the patterns are not explained better by 0\.1 % than by the starting guess \(loss [\d.]+, at first [\d.]+\), "
        r"and contrast of such an object says nothing: tune\.required_gain",
        reason,
    )
    blind = tune(small_config(tmp_path / "blind", overrides, **given, required_gain=None)).study
    assert [one.state.name for one in blind.trials] == ["COMPLETE"] * 2
    loss = tune(small_config(tmp_path / "loss", overrides, **{**given, "objectives": ["loss"]}, required_gain=0.9))
    assert [one.state.name for one in loss.study.trials] == ["COMPLETE"] * 2


def test_ring_correlation_reconstructs_two_halves(tmp_path, monkeypatch):
    sizes = []
    begin = trial._engines

    def watched(*arguments):
        engines = begin(*arguments)
        sizes.append([engine.used.tolist() for engine in engines])
        return engines

    monkeypatch.setattr(trial, "_engines", watched)
    monkeypatch.setattr("ptycupy.analysis.resolution.SMALLEST", 4)
    found = tune(small_config(tmp_path, trials=2, objectives="ring_correlation", iterations=3))
    for even, odd in sizes:
        assert sorted(even + odd) == list(range(16))
    assert all(-1 <= one.value < 0 for one in found.study.trials)


def test_another_objective_beside_the_halves_is_their_mean(tmp_path, monkeypatch):
    monkeypatch.setattr("ptycupy.analysis.resolution.SMALLEST", 4)
    found = tune(small_config(tmp_path, trials=1, objectives=["loss", "ring_correlation"]))
    loss, _ = found.study.trials[0].values
    monkeypatch.undo()
    section = small_config(tmp_path / "again").tune
    halves = []
    for half in trial.HALVES:
        chosen = load_config(found.folder / "best.yaml", (f"reconstruction.half={half}",))
        halves += trial.run_trial(chosen, section, SharedData(backends.select("cpu")), 1, trial.Attempt(), None).values
    assert loss == pytest.approx(np.mean(halves), rel=1e-6)


def test_nothing_left_to_reconstruct_from_is_refused(tmp_path):
    problem = type("P", (), {"patterns": np.zeros((1, 4, 4)), "pattern_weights": None})()
    with pytest.raises(DataError, match="leaves none to reconstruct from"):
        held_out(problem, 0.5, 0)
