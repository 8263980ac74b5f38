"""Schedules of torch, as PtyRAD takes them for groups of one tensor each, against torch's own rates."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from ptycupy.errors import ConfigError
from ptycupy.reconstruction.configured import settings_from
from ptycupy.update.schedules import Plan, Progress

FILES = Path(__file__).parents[2] / "files"
sys.path.insert(0, str(FILES))
from torch_options import SCHEDULES, falling  # noqa: E402

CHOSEN = "model_params.scheduler_params"
RATES = {"objp": 1e-3, "probe": 2e-4}
UPDATES = {
    f"model_params.update_params.{name}": {"start_iter": 1, "lr": rate} if rate else {}
    for name, rate in {"obja": 0, "probe_pos_shifts": 0, **RATES}.items()
}
UNLESS_SAID = {"OneCycleLR": {"cycle_momentum": False}, "CyclicLR": {"cycle_momentum": False}}


def scheduled(translated, name, configs, **more):
    chosen = {"name": name, "configs": configs, **more.pop("chosen", {})}
    return translated({CHOSEN: chosen, **UPDATES, **more})


def refused(loaded):
    return {note.key.removeprefix(f"{CHOSEN}."): note.effect for note in loaded.notes if note.unsupported}


def rates_of(config, steps, losses=()):
    """{field: (rate, momentum) of each of so many iterations}, as the engine makes them."""
    settings = settings_from(config)
    plan = Plan(settings.schedule, settings.schedules) if settings.schedule is not None else None
    plan = plan or Plan(next(iter(settings.schedules.values())), settings.schedules)
    found = {}
    for field, rate in settings.learning_rates.items():
        places = [Progress(n + 1, 0, 1, list(losses[:n])) for n in range(steps)]
        found[field] = (
            [rate * plan.factor(field, place) for place in places],
            [plan.momenta([field], place).get(field) for place in places],
        )
    return found


@pytest.mark.parametrize(
    ("name", "configs", "expected"),
    [
        ("ConstantLR", {"factor": 0.2, "total_iters": 7}, {"factor": 0.2, "total": 7}),
        (
            "LinearLR",
            {"start_factor": 0.1, "end_factor": 0.7, "total_iters": 12},
            {"start": 0.1, "end": 0.7, "total": 12},
        ),
        ("StepLR", {"step_size": 6, "gamma": 0.5}, {"every": 6, "gamma": 0.5}),
        ("MultiStepLR", {"milestones": [3, 8], "gamma": 0.5}, {"milestones": (3, 8), "gamma": 0.5}),
        ("ExponentialLR", {"gamma": 0.9}, {"gamma": 0.9}),
        ("PolynomialLR", {"total_iters": 25, "power": 2.5}, {"total": 25, "power": 2.5}),
        ("CosineAnnealingLR", {"T_max": 30, "eta_min": 0}, {"total": 30, "least": 0.0}),
        ("CosineAnnealingWarmRestarts", {"T_0": 5, "T_mult": 2}, {"first": 5, "growth": 2}),
        ("ReduceLROnPlateau", {"factor": 0.5, "patience": 3, "verbose": True}, {"factor": 0.5, "patience": 3}),
    ],
)
def test_schedules_have_torch_s_options(translated, name, configs, expected):
    found = translated({"model_params.scheduler_params": {"name": name, "configs": configs, "step_unit": "batch"}})
    schedule = found.config.optimizer.schedule
    assert schedule.options == expected
    assert schedule.step_unit == "batch"
    assert not [note for note in found.notes if note.unsupported]


STORED = [
    (name, number)
    for name, (torch_name, *sets) in SCHEDULES.items()
    for number in range(len(sets))
    if torch_name != "ReduceLROnPlateau"
]


@pytest.mark.parametrize(("name", "number"), STORED)
def test_rates_are_torch_s(translated, name, number):
    """For two tensors with rates apart, stored sequences being for a rate of 1."""
    torch_name, *sets = SCHEDULES[name]
    configs = UNLESS_SAID.get(torch_name, {}) | sets[number][0]
    with np.load(FILES / "torch_trajectories.npz") as file:
        factors, momenta = (file[f"{what}/{name}/{number}"] for what in ("schedule", "momentum"))
    found = scheduled(translated, torch_name, configs, **{"recon_params.NITER": 40})
    assert not refused(found)
    rates = rates_of(found.config, 40)
    absolute = {"eta_min", "max_lr"} & configs.keys()
    for field, base in (("object_phase", 1e-3), ("probe", 2e-4)):
        if absolute == {"eta_min"}:  # torch falls to one rate for all: from 1 to eta_min it is affine in both
            share = (factors - configs["eta_min"]) / (1 - configs["eta_min"])
            wanted = configs["eta_min"] + (base - configs["eta_min"]) * share
        else:
            wanted = factors if absolute else base * factors
        np.testing.assert_allclose(rates[field][0], wanted, rtol=1e-10, atol=1e-15)
        if configs.get("cycle_momentum"):
            np.testing.assert_allclose(rates[field][1], momenta, rtol=1e-12)
        else:
            assert set(rates[field][1]) == {None}


def test_one_rate_for_each_tensor(translated):
    """In the order of PtyRAD's groups, those that are fixed by a rate of 0 left out."""
    found = scheduled(translated, "OneCycleLR", {"max_lr": [1e-2, 3e-4], "total_steps": 20})
    assert found.config.optimizer.schedules == {}  # the shape is one; the rates differ
    rates = rates_of(found.config, 20)
    assert max(rates["object_phase"][0]) == pytest.approx(1e-2, rel=1e-12)
    assert max(rates["probe"][0]) == pytest.approx(3e-4, rel=1e-12)
    assert min(rates["probe"][1]) == pytest.approx(0.85)
    least = scheduled(translated, "ReduceLROnPlateau", {"min_lr": [1e-4, 1e-3], "patience": 0, "factor": 0.5})
    rates = rates_of(least.config, 10, [1.0] * 10)
    assert min(rates["object_phase"][0]) == pytest.approx(1e-4)
    assert set(rates["probe"][0]) == {2e-4}  # below its least already: torch never raises a rate


def test_epochs_make_total_steps_and_batches_are_counted(translated):
    configs = {"max_lr": 1e-3, "epochs": 5, "steps_per_epoch": 12}
    found = scheduled(translated, "OneCycleLR", configs, chosen={"step_unit": "batch"})
    assert found.config.optimizer.schedule.options["total"] == 60
    assert found.config.optimizer.schedule.step_unit == "batch"


def test_functions_are_sampled(translated):
    """Only Python has functions: a .py file that the user names, or a call from Python."""
    found = scheduled(translated, "MultiplicativeLR", {"lr_lambda": lambda step: 0.9}, **{"recon_params.NITER": 7})
    np.testing.assert_allclose(found.config.optimizer.schedule.options["factors"], 0.9 ** np.arange(7))
    both = {"lr_lambda": [falling, lambda step: 1.0]}
    found = scheduled(translated, "LambdaLR", both, **{"recon_params.NITER": 7})
    own = found.config.optimizer.schedules
    assert own["object_phase"].options["factors"] == tuple(falling(step) for step in range(7))
    assert set(own["probe"].options["factors"]) == {1.0}
    batches = scheduled(
        translated, "LambdaLR", {"lr_lambda": falling}, chosen={"step_unit": "batch"}, **{"recon_params.NITER": 3}
    )
    assert len(batches.config.optimizer.schedule.options["factors"]) == 36  # 24 x 16 positions in batches of 32


@pytest.mark.parametrize("function", [lambda step: -1.0, lambda step: float("nan"), lambda step: 1 / 0])
def test_a_function_that_fails_is_one_message(translated, function):
    with pytest.raises(ConfigError, match="configs.lr_lambda: step 0"):
        scheduled(translated, "LambdaLR", {"lr_lambda": function})


@pytest.mark.parametrize(
    ("name", "configs", "key", "words"),
    [
        ("LambdaLR", {"lr_lambda": "lambda n: 0.9**n"}, "configs.lr_lambda", "a .py file named to --ptyrad"),
        ("MultiplicativeLR", {}, "configs.lr_lambda", "None: MultiplicativeLR needs a Python function"),
        ("OneCycleLR", {"total_steps": 9}, "configs.max_lr", "required by OneCycleLR"),
        ("OneCycleLR", {"max_lr": 1.0}, "configs.total_steps", "epochs with steps_per_epoch"),
        ("OneCycleLR", {"max_lr": [1.0], "total_steps": 9}, "configs.max_lr", "one for each of objp, probe"),
        ("CyclicLR", {"max_lr": 1.0}, "configs.base_lr", "None: expected one number"),
        ("CyclicLR", {"max_lr": 1, "base_lr": 0, "scale_fn": abs}, "configs.scale_fn", "is code"),
        ("CosineAnnealingLR", {"T_max": 3, "eta_min": "low"}, "configs.eta_min", "'low': expected one number"),
        ("ReduceLROnPlateau", {"mode": "max"}, "configs.mode", "max"),
    ],
)
def test_what_cannot_be_had_is_named_with_its_value(translated, name, configs, key, words):
    found = scheduled(translated, name, configs)
    assert words in refused(found)[key]
    assert found.config.optimizer.schedule is None
    assert found.config.optimizer.schedules == {}


def test_optimizers_without_momentum_or_memory(translated):
    cycle = {"max_lr": 1e-2, "total_steps": 20}
    adagrad = {"model_params.optimizer_params": {"name": "Adagrad"}}
    assert "set it to false" in refused(scheduled(translated, "OneCycleLR", cycle, **adagrad))["configs.cycle_momentum"]
    assert not refused(scheduled(translated, "OneCycleLR", {**cycle, "cycle_momentum": False}, **adagrad))
    lbfgs = {"model_params.optimizer_params": {"name": "LBFGS"}}
    found = scheduled(translated, "CosineAnnealingLR", {"T_max": 9, "eta_min": 1e-4}, **lbfgs)
    assert found.config.optimizer.schedule.options["least"] == 0.5  # of the least rate, which is LBFGS's only one
    found = scheduled(translated, "StepLR", {"step_size": 2}, chosen={"step_unit": "batch"}, **lbfgs)
    assert found.config.optimizer.schedule is None
    assert f"{CHOSEN}.step_unit" in [note.key for note in found.notes]


def test_a_stored_state_is_refused(translated):
    found = scheduled(translated, "StepLR", {"step_size": 2}, chosen={"load_state": "model.hdf5"})
    assert "model.hdf5: the schedule would start anew" in refused(found)["load_state"]
