"""report.html of a study: whole, self-contained, and with what is worth mending."""

from __future__ import annotations

import re

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState
from tune.small import small_config

from ptycupy.outputs.canvas import save_png
from ptycupy.outputs.tuning_figures import Axis, Point, history_figure, pareto_figure, slice_figure
from ptycupy.tune import phases, tune
from ptycupy.tune.advice import advise
from ptycupy.tune.claims import REASON
from ptycupy.tune.words import unit, word
from ptycupy.tune.worker import open_task

RATE = "optimizer.object_phase"


def text_of(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def test_a_page_of_one_objective(tmp_path):
    found = tune(small_config(tmp_path, trials=6, sampler="random"))
    page = (found.folder / "report.html").read_text(encoding="utf-8")
    assert not re.findall(r"(?:src|href)=\"(?!data:|#)", page)  # nothing is fetched
    assert page.count("data:image/png;base64,") == 4  # phases, history, slices, importances
    text, best = text_of(page), found.study.best_trial
    assert f"loss {best.value:.6g}" in text
    assert f"trial {best.number}, after 1 iterations" in text
    values = sorted(found.study.trials, key=lambda one: one.value)[:5]
    rates = [one.params[RATE] for one in values]
    assert f"{word(best.params[RATE])} {word(min(rates))} .. {word(max(rates))} 0.001 .. 0.1 (log)" in text
    assert "trials 6 complete, of 6" in text
    assert "of 6 complete trials they say little" in text
    assert "seed: 0" in page  # the configuration


def test_a_page_of_several_objectives_lists_the_front(tmp_path):
    found = tune(small_config(tmp_path, trials=6, objectives=["loss", "contrast"], sampler="nsga2"))
    page = (found.folder / "report.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") == 8  # the front, phases, and three for each objective
    text = text_of(page)
    for trial in found.study.best_trials:
        assert f"{trial.number} {trial.values[0]:.5g} {trial.values[1]:.5g} {word(trial.params[RATE])}" in text
        assert (found.folder / "phases" / f"trial_{trial.number:04d}.npz").exists()
    assert "importances_contrast.png" in {one.name for one in found.folder.glob("*.png")}


def test_trials_that_led_leave_their_phase(tmp_path):
    found = tune(small_config(tmp_path, trials=5, sampler="random"))
    values = [one.value for one in found.study.trials]
    led = {f"trial_{n:04d}.npz" for n in range(5) if values[n] < min(values[:n], default=np.inf)}
    assert {one.name for one in (found.folder / "phases").iterdir()} == led
    with np.load(found.folder / "phases" / f"trial_{found.study.best_trial.number:04d}.npz") as file:
        assert file["phase"].ndim == 2
        assert np.ptp(file["phase"]) > 0
        assert np.isnan(file["pixel_size"]).all()  # the tiny scan has none
    assert phases.draw(tmp_path / "none.png", tmp_path, found.study.trials) == []
    assert not (tmp_path / "none.png").exists()


def test_leading_with_several_objectives():
    done = [optuna.create_trial(values=[1.0, 2.0]), optuna.create_trial(values=[2.0, 1.0])]
    assert phases.leads([1.5, 1.5], done)
    assert not phases.leads([2.0, 2.0], done)
    assert not phases.leads([1.0, 2.0], done)  # no better than the first


@pytest.fixture
def task(tmp_path):
    return open_task(small_config(tmp_path), "small")


def trials(task, rates, values):
    found = []
    for number, (rate, value) in enumerate(zip(rates, values, strict=True)):
        params = {RATE: rate, "reconstruction.batch_size": 6}
        found.append(optuna.create_trial(params=params, distributions=task.space.distributions, value=value))
        found[-1].number = number
    return found


def test_a_sound_study_has_nothing_to_mend(task):
    done = trials(task, np.geomspace(2e-3, 5e-2, 40), [2.0, 1.0, *np.linspace(1.5, 1.6, 38)])
    assert advise(task, done, done) == []


def test_the_best_value_at_an_end_asks_for_a_wider_range(task):
    done = trials(task, [1.01e-3, 1e-2], [1.0, 2.0])
    (found,) = advise(task, done, done)
    assert found.what == f"{RATE}: the best value, 0.00101, lies at the end of what was tried, 0.001 .. 0.1"
    assert found.remedy == f"tune.space.{RATE}: {{low: 0.0001, high: 0.1}}, in a study of another name"


def test_an_end_beyond_which_nothing_can_be_is_none(tmp_path):
    space = {"reconstruction.batch_size": {"low": 1, "high": 9}}
    task = open_task(small_config(tmp_path, space=space), "small")
    one = optuna.create_trial(params={"reconstruction.batch_size": 1}, distributions=task.space.distributions, value=1)
    assert advise(task, [one], [one]) == []


def test_failures_are_told_with_their_reason(task):
    done = trials(task, [1e-2], [1.0])
    failed = optuna.create_trial(state=TrialState.FAIL, user_attrs={REASON: "it <diverged>."})
    (found,) = advise(task, [*done, failed], done)
    assert found.what.startswith("1 of 2 trials failed")
    assert found.what.endswith("with: it <diverged>")


def test_a_search_that_still_finds_better_ones_asks_for_more_trials(task):
    done = trials(task, np.geomspace(2e-3, 5e-2, 40), np.linspace(2.0, 1.0, 40))
    done[-1].params[RATE] = 1e-2
    (found,) = advise(task, done, done)
    assert found.what == "The last quarter of the trials still lowered loss, from 1.256 to 1"
    assert found.remedy.startswith("tune.trials: 6,")


def test_loss_is_refused_as_the_judge_of_freedom(task):
    done = trials(task, [1e-2], [1.0])
    task.space.distributions["illumination.modes"] = optuna.distributions.CategoricalDistribution([1, 2])
    done[0].params["illumination.modes"] = 1
    (found,) = advise(task, done, done)
    assert found.remedy == "tune.objectives: held_out_loss"


def test_contrast_of_next_to_no_phase_is_told(tmp_path):
    task = open_task(small_config(tmp_path, objectives=["contrast"]), "small")
    done = trials(task, [1e-2, 2e-2], [-1.0, -2.0])
    assert advise(task, done, done, [(0, 0.5), (1, 0.06)]) == []
    (found,) = advise(task, done, done, [(0, 0.5), (1, 0.04)])
    assert found.what.startswith("The phase of trial 1, the best one, spreads by 0.04 rad, that of trial 0 by 0.5:")
    by_loss = open_task(small_config(tmp_path / "loss"), "small")
    assert advise(by_loss, done, done, [(0, 0.5), (1, 0.04)]) == []


@pytest.mark.parametrize(("key", "mode", "expected"), [
    ("object.tilt_mrad.0", "none", "mrad"),
    ("object.total_thickness_angstrom", "none", "Å"),
    ("scan.affine.rotation_degrees", "none", "degrees"),
    ("illumination.aberrations.C12a", "none", "Å"),
    ("illumination.aberrations.phi12", "none", ""),
    ("illumination.convergence_angle_mrad", "none", "mrad"),
    ("calibration.value", "pixel_size_angstrom", "Å"),
    ("calibration.value", "dk_inverse_angstrom", "1/Å"),
    ("optimizer.probe", "none", ""),
    ("reconstruction.batch_size", "none", ""),
])  # fmt: skip
def test_units_of_keys(key, mode, expected):
    assert unit(key, mode) == expected


def test_pictures_with_pruned_failed_and_missing_values(tmp_path):
    points = [Point(0, 1.0, True, {"a": 1e-3, "b": "x"}), Point(1, 3.0, False, {"a": 1e-2, "b": "y"}),
              Point(2, None, False), Point(3, 0.5, True, {"a": 1e-1})]  # fmt: skip
    history = history_figure(points, "loss")
    assert len(history.legends[0].get_texts()) == 4
    slices = slice_figure(points, [Axis("a", log=True, unit="Å"), Axis("b", choices=("x", "y"))], "loss")
    assert slices.axes[0].get_xlabel() == "a (Å)"
    assert slices.axes[0].get_xscale() == "log"
    front = pareto_figure([[1, 2], [2, 1], [3, 3]], [True, True, False], ["loss", "contrast"], [4, 7, 9])
    assert {one.get_text() for one in front.axes[0].texts} == {"4", "7"}
    for number, figure in enumerate((history, slices, front)):
        save_png(figure, tmp_path / f"{number}.png")
        assert (tmp_path / f"{number}.png").stat().st_size > 5000
