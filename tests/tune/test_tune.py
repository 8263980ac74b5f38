"""A whole study of tiny reconstructions: what it writes, what it refuses, how it ends, and how it goes on."""

from __future__ import annotations

import importlib.util

import optuna
import pytest
from tune.small import SPACE, load_study, small_config, table, write_small

from ptycupy.cli import main
from ptycupy.config import load_config, read_dict
from ptycupy.errors import ConfigError
from ptycupy.tune import samplers, tune

PICTURES = {"phases.png", "history.png", "slices.png", "importances.png"}


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


def test_optuna_is_as_quiet_as_it_was(tmp_path):
    before = optuna.logging.get_verbosity()
    tune(small_config(tmp_path, trials=1))
    assert optuna.logging.get_verbosity() == before
