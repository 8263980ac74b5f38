"""A whole study of tiny reconstructions: what it writes, what it refuses, how it ends, and how it goes on."""

from __future__ import annotations

import csv
import importlib.util
import re

import numpy as np
import optuna
import pytest
from scenes import random_scene
from tune.small import SPACE, load_study, small_config, write_small

from ptycupy import Engine, Settings, backends, functional
from ptycupy.cli import main
from ptycupy.config import load_config, read_dict
from ptycupy.errors import ConfigError, DataError, DivergenceError, MemoryShortage, ResourceError
from ptycupy.experiment.selection import only
from ptycupy.tune import samplers, trial, tune, worker
from ptycupy.tune.data import SharedData
from ptycupy.tune.objectives import contrast, held_out, held_out_loss

PICTURES = {"phases.png", "history.png", "slices.png", "importances.png"}


def table(folder):
    with (folder / "trials.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_study_leaves_the_best_configuration_a_table_and_pictures(tmp_path, capsys, caplog):
    path = write_small(tmp_path, trials=6)
    assert main(["tune", str(path), "-q"]) == 0
    folder = tmp_path / "runs" / "small"
    assert capsys.readouterr().out == f"{folder}\n"
    study = load_study(tmp_path)  # as optuna-dashboard opens it
    assert [one.state.name for one in study.trials] == ["COMPLETE"] * 6
    rows = table(folder)
    assert [float(row["loss"]) for row in rows] == [one.value for one in study.trials]
    assert {row["state"] for row in rows} == {"complete"}
    assert {one.name for one in folder.glob("*.png")} == PICTURES
    best = load_config(folder / "best.yaml")
    expected = study.best_trial.params
    assert best.optimizer.object_phase.learning_rate == expected["optimizer.object_phase"]
    assert best.reconstruction.batch_size == expected["reconstruction.batch_size"]
    assert (best.tune, best.reconstruction.iterations) == (None, 4)  # the whole reconstruction's
    assert main(["recon", str(folder / "best.yaml"), "-q", "--set", f"output.folder={tmp_path / 'best'}"]) == 0
    (run,) = (tmp_path / "best").iterdir()
    assert (run / "result.h5").exists()


def test_the_same_seed_gives_the_same_trials_whether_or_not_it_was_interrupted(tmp_path):
    given = {"sampler": {"name": "tpe", "startup_trials": 3}}
    whole = tune(small_config(tmp_path / "a", trials=6, **given)).study
    tune(small_config(tmp_path / "b", trials=4, **given))
    again = tune(small_config(tmp_path / "b", trials=6, **given)).study
    assert [one.params for one in again.trials] == [one.params for one in whole.trials]
    assert [one.values for one in again.trials] == [one.values for one in whole.trials]


def test_samplers_share_their_first_trials(tmp_path):
    found = []
    for name in ("tpe", "random"):
        sampler = {"name": name, "startup_trials": 3}
        config = small_config(tmp_path / name, trials=5, sampler=sampler, seed=7)
        found.append([one.params for one in tune(config).study.trials])
    assert found[0][:3] == found[1][:3]
    assert found[0][3:] != found[1][3:]


def test_pruned_trials_end_early_and_say_so(tmp_path):
    pruner = {"name": "median", "options": {"n_startup_trials": 2}}
    study = tune(small_config(tmp_path, trials=8, iterations=4, pruner=pruner, seed=1)).study
    pruned = [one for one in study.trials if one.state.name == "PRUNED"]
    assert pruned
    assert all(one.user_attrs["iterations"] == max(one.intermediate_values) < 4 for one in pruned)
    assert len(study.trials) == 8
    states = [row["state"] for row in table(tmp_path / "runs" / "small")]
    assert states.count("pruned") == len(pruned)


GRID = {"optimizer.object_phase": [1e-3, 1e-2], "reconstruction.batch_size": [4, 8]}
EACH_SAMPLER = {
    "tpe": {},
    "random": {},
    "cmaes": {"sampler": {"name": "cmaes", "startup_trials": 1}, "space": SPACE},
    "gp": {"sampler": {"name": "gp", "startup_trials": 2}},
    "qmc": {"space": SPACE},
    "grid": {"space": GRID},
    "brute_force": {"space": GRID},
    "nsga2": {"objectives": ["loss", "held_out_loss"]},
    "nsga3": {"objectives": ["loss", "held_out_loss"]},
}


@pytest.mark.parametrize("name", EACH_SAMPLER)
def test_every_sampler_runs_a_study(tmp_path, name):
    package = samplers.PACKAGES.get(name)
    if package is not None and importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    study = tune(small_config(tmp_path, **{"trials": 4, "sampler": name, **EACH_SAMPLER[name]})).study
    tried = [tuple(one.params.values()) for one in study.trials]
    assert [one.state.name for one in study.trials] == ["COMPLETE"] * 4
    assert len(set(tried)) == 4
    if "space" in EACH_SAMPLER[name] and EACH_SAMPLER[name]["space"] is GRID:
        assert sorted(tried) == [(rate, size) for rate in (1e-3, 1e-2) for size in (4, 8)]


SPLIT = {"optimizer.object_phase": {"choices": [1e-1, 1e-4, 3.0]}}  # well, hardly at all, and up and down
EACH_PRUNER = {
    "hyperband": {"min_resource": 1, "reduction_factor": 2},
    "successive_halving": {"min_resource": 1, "reduction_factor": 2},
    "median": {"n_startup_trials": 1},
    "percentile": {"percentile": 50.0, "n_startup_trials": 1},
    "patient": {"patience": 0},
    "threshold": {"upper": 0.0},
}


@pytest.mark.parametrize("name", EACH_PRUNER)
def test_every_pruner_ends_trials(tmp_path, name):
    pruner = {"name": name, "options": EACH_PRUNER[name]}
    study = tune(small_config(tmp_path, trials=8, iterations=5, pruner=pruner, space=SPLIT, sampler="random")).study
    states = [one.state.name for one in study.trials]
    assert set(states) <= {"COMPLETE", "PRUNED"}
    pruned = [one for one in study.trials if one.state.name == "PRUNED"]
    assert pruned
    assert all(one.user_attrs["iterations"] == max(one.intermediate_values) < 5 for one in pruned)


def test_several_objectives_leave_a_front(tmp_path):
    config = small_config(tmp_path, trials=4, objectives=["loss", "contrast"], sampler="nsga2")
    found = tune(config)
    assert (found.folder / "pareto.png").exists()
    front = {f"trial_{one.number:04d}.yaml" for one in found.study.best_trials}
    assert {one.name for one in (found.folder / "pareto").iterdir()} == front
    for name in front:
        load_config(found.folder / "pareto" / name)
    first = min(found.study.trials, key=lambda one: one.values[0])
    assert f"# Trial {first.number} of the study small: loss" in (found.folder / "best.yaml").read_text()
    assert found.study.metric_names == ["loss", "contrast"]


def test_choices_may_be_sections_and_initial_trials_come_first(tmp_path):
    space = {"optimizer": {"choices": [{"name": "adam"}, {"name": "sgd", "options": {"momentum": 0.9}}]}}
    initial = [{"optimizer": {"name": "sgd", "options": {"momentum": 0.9}}}]
    found = tune(small_config(tmp_path, space=space, trials=1, initial=initial))
    best = load_config(found.folder / "best.yaml").optimizer
    assert (best.name, best.options) == ("sgd", {"momentum": 0.9})
    assert best.object_phase.learning_rate == 1e-2  # the section's other keys stay


# --- what is refused ------------------------------------------------------------------------------------------
def test_fault_65_another_space_under_the_same_name_is_refused_with_the_difference(tmp_path, capsys):
    path = write_small(tmp_path, trials=1)
    assert main(["tune", str(path), "-q"]) == 0
    capsys.readouterr()
    other = {**SPACE, "optimizer.object_phase": {"low": 1e-4, "high": 1e-1, "log": True}}
    write_small(tmp_path, trials=1, space=other)
    assert main(["tune", str(path), "-q"]) == 2
    error = capsys.readouterr().err
    assert "tune.study: small is there already and is another search" in error
    assert "tune.space.optimizer.object_phase: there 0.001 .. 0.1 (log), here 0.0001 .. 0.1 (log)" in error
    write_small(tmp_path, trials=1, objectives=["contrast"])
    assert main(["tune", str(path), "-q", "--set", "scan.jitter_px=0.1"]) == 2
    error = capsys.readouterr().err
    assert "tune.objectives: there loss, here contrast" in error
    assert "scan.jitter_px: there 0.0, here 0.1" in error
    write_small(tmp_path, trials=2)
    assert main(["tune", str(path), "-q", "--set", "backend=auto"]) == 0  # another place is no other search


@pytest.mark.parametrize(("name", "package"), [("cmaes", "cmaes"), ("gp", "torch")])
def test_fault_66_a_sampler_whose_package_is_absent_is_refused_before_the_first_trial(
    tmp_path, capsys, monkeypatch, name, package
):
    found = importlib.util.find_spec
    monkeypatch.setattr(samplers, "find_spec", lambda wanted: None if wanted == package else found(wanted))
    path = write_small(tmp_path, sampler=name)
    assert main(["tune", str(path), "-q"]) == 2
    assert f"tune.sampler.name: {name} needs the package {package}: `pip install {package}`" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"sampler": {"name": "tpe", "options": {"gama": 1}}}, "tune.sampler.options.gama: unknown"),
        ({"pruner": {"name": "hyperband", "options": {"reduction_factor": 1}}}, "tune.pruner.options: "),
        ({"pruner": {"name": "patient", "options": {"wrapped": "median"}}}, "tune.pruner.options: .*patience"),
        ({"sampler": "cmaes", "objectives": ["loss", "contrast"]}, "cmaes takes a single objective"),
        ({"sampler": "grid"}, "tune.space.optimizer.object_phase.step: required by the samplers grid"),
        ({"space": {"object.slies": {"low": 1, "high": 2}}}, r"tune.space.object.slies: 1.* cannot be: .*slices"),
        ({"space": {"optimizer.name": ["adam", "adan"]}}, "tune.space.optimizer.name: 'adan' cannot be: "),
        ({"space": {"illumination.modes": {"low": 0, "high": 2}}}, "tune.space.illumination.modes: 0 cannot be: "),
        ({"initial": [{"reconstruction.batch_size": 99}]}, "tune.initial.0.reconstruction.batch_size: 99 is not in"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_the_first_trial(tmp_path, given, message):
    with pytest.raises(ConfigError, match=message):
        tune(small_config(tmp_path, **given))
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"space": {"output.folder": ["a"]}}, "tune.space.output.folder: cannot be tuned"),
        ({"space": {}}, "tune.space: required"),
        ({"objectives": ["loss", "contrast"], "pruner": "median"}, "tune.pruner: needs a single objective"),
        ({"objectives": ["loss", "loss"]}, "tune.objectives: names one twice"),
        ({"initial": [{"object.slices": 2}]}, "tune.initial.0: object.slices is not in tune.space"),
        ({"study": "a/b"}, "tune.study: 'a/b' must be one folder name"),
        ({"space": {"object.slices": {"low": 3, "high": 2}}}, "tune.space.object.slices.low: 3 is above high, 2"),
        ({"space": {"object.slices": {"low": 1}}}, "needs low and high, or choices"),
        ({"space": {"object.slices": {"low": 0, "high": 2, "log": True}}}, "log: needs low above 0"),
    ],
)
def test_the_section_is_checked_when_it_is_read(tmp_path, given, message):
    with pytest.raises(ConfigError, match=message):
        small_config(tmp_path, **given)


def test_without_the_section_there_is_nothing_to_tune(tmp_path):
    config = small_config(tmp_path)
    with pytest.raises(ConfigError, match="tune: this configuration has no such section"):
        tune(config.model_copy(update={"tune": None}))


def test_stages_cannot_be_tuned(tmp_path):
    values = small_config(tmp_path).model_dump(mode="json")
    with pytest.raises(ConfigError, match="tune: stages cannot be tuned"):
        read_dict({**values, "stages": [{}, {}]})


# --- trials that fail -----------------------------------------------------------------------------------------
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


def test_optuna_is_as_quiet_as_it_was(tmp_path):
    before = optuna.logging.get_verbosity()
    tune(small_config(tmp_path, trials=1))
    assert optuna.logging.get_verbosity() == before
