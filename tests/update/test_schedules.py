"""Schedules against stored sequences of torch.optim.lr_scheduler, and their place in the engine."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest
from scenes import random_scene

from ptycupy import Engine, Settings
from ptycupy.config.schedules import OPTIONS as SECTIONS
from ptycupy.config.schedules import TORCH_NAMES
from ptycupy.errors import ConfigError
from ptycupy.update.optimizers import make_optimizer
from ptycupy.update.schedules import SCHEDULES, MovesMomentum, Progress, make_schedule

FILES = Path(__file__).parents[1] / "files"
sys.path.insert(0, str(FILES))
from torch_options import SCHEDULES as STORED  # noqa: E402

SETS = [(name, number) for name, (_, *sets) in STORED.items() for number in range(len(sets))]
LOSSES = [1 / (1 + n) if n < 8 else 0.125 for n in range(40)]  # as make_torch_trajectories.py has them


@pytest.mark.parametrize(("name", "number"), SETS)
def test_factors_are_torchs(name, number):
    _, ours = STORED[name][1:][number]
    schedule = make_schedule(name, **ours)
    with np.load(FILES / "torch_trajectories.npz") as file:
        wanted, momenta = (file[f"{what}/{name}/{number}"] for what in ("schedule", "momentum"))
    steps = [Progress(n + 1, 0, 4, LOSSES[:n]) for n in range(len(wanted))]
    np.testing.assert_allclose([schedule.factor(step) for step in steps], wanted, rtol=1e-12, atol=1e-15)
    if "momenta" in ours:
        np.testing.assert_allclose([schedule.momentum(step) for step in steps], momenta, rtol=1e-12)
    elif isinstance(schedule, MovesMomentum):
        assert {schedule.momentum(step) for step in steps} == {None}


def test_all_are_covered_and_have_the_options_of_the_configuration():
    assert set(STORED) == set(SCHEDULES) == set(SECTIONS) == {*TORCH_NAMES.values(), "listed"}
    for name, made in SCHEDULES.items():
        fields = [
            (f.name, f.default if f.default is not dataclasses.MISSING else None) for f in dataclasses.fields(made)
        ]
        section = [(key, None if f.is_required() else f.default) for key, f in SECTIONS[name].model_fields.items()]
        assert fields == section, name


def test_steps_may_be_updates():
    schedule = make_schedule("exponential", "batch", gamma=0.5)
    assert schedule.factor(Progress(3, 1, 4, [])) == 0.5**9


def test_unknown_names_and_things_are_refused():
    with pytest.raises(ConfigError, match=r"schedule cosin: unknown; .*did you mean cosine"):
        make_schedule("cosin")
    with pytest.raises(ConfigError, match="schedule: 3 must be"):
        make_schedule(3)


@pytest.mark.parametrize("unit", ["iteration", "batch"])
def test_the_engine_steps_by_scheduled_rates_and_resumes_them(unit):
    """Gradient descent, whose steps are proportional to the rate; interrupted within an iteration, too."""
    problem, state = random_scene(positions=6)
    rates = {"object_phase": 1e-2, "shifts": 1e-3}

    def settings(schedule):
        return Settings({"gaussian": {}}, "sgd", rates, schedule, batch_size=2)

    schedule = make_schedule("step", unit, every=2, gamma=0.5)
    whole = Engine(problem, state, settings(schedule), "cpu")
    whole.run(4)
    assert whole.history.learning_rates["object_phase"] == (
        [1e-2, 1e-2, 5e-3, 5e-3] if unit == "iteration" else [1e-2, 5e-3, 1.25e-3, 6.25e-4]
    )

    class StopAt:
        def on_batch(self, engine, number, batches):
            engine.stop_requested = engine.iteration == 1 and number == 1

        def on_iteration(self, engine): ...

        def on_stop(self, engine): ...

    first = Engine(problem, state, settings(schedule), "cpu")
    first.run(4, [StopAt()])
    second = Engine(problem, state, settings(schedule), "cpu")
    second.restore(first.snapshot())
    second.run(3)
    np.testing.assert_array_equal(second.state.object_phase, whole.state.object_phase)
    np.testing.assert_array_equal(second.state.shifts, whole.state.shifts)
    by_function = Engine(problem, state, settings(lambda iteration: 0.5 ** ((iteration - 1) // 2)), "cpu")
    by_function.run(4)
    if unit == "iteration":
        np.testing.assert_array_equal(by_function.state.object_phase, whole.state.object_phase)


def test_a_field_may_have_its_own_schedule():
    problem, state = random_scene(positions=4)
    own = {"probe": make_schedule("listed", factors=(1.0, 0.5))}
    rates = {"probe": 1e-6, "object_phase": 1e-6}
    settings = Settings({"gaussian": {}}, "adam", rates, make_schedule("exponential", gamma=0.1), schedules=own)
    engine = Engine(problem, state, settings, "cpu")
    engine.run(3)
    assert engine.history.learning_rates["probe"] == [1e-6, 5e-7, 5e-7]
    np.testing.assert_allclose(engine.history.learning_rates["object_phase"], [1e-6, 1e-7, 1e-8])
    with pytest.raises(ConfigError, match="schedules.prob: not a State field"):
        Settings({"gaussian": {}}, schedules={"prob": None})


@pytest.mark.parametrize(("optimizer", "name"), [("adam", "beta1"), ("sgd", "momentum")])
def test_a_cycle_moves_the_momentum(optimizer, name):
    """As if each iteration had an optimizer of its own, with the same moments."""
    problem, state = random_scene(positions=4)
    rates = {"object_phase": 1e-2}
    schedule = make_schedule("one_cycle", total=4, momenta=(0.5, 0.9))
    moving = Engine(problem, state, Settings({"gaussian": {}}, optimizer, rates, schedule, batch_size=4), "cpu")
    moving.run(3)
    still = Engine(problem, state, Settings({"gaussian": {}}, optimizer, rates, batch_size=4), "cpu")
    for number in (1, 2, 3):
        progress = Progress(number, 0, 1, [])
        own = make_optimizer(optimizer, **{name: schedule.momentum(progress)})
        settings = Settings({"gaussian": {}}, own, {"object_phase": 1e-2 * schedule.factor(progress)}, batch_size=4)
        following = Engine(problem, state, settings, "cpu")
        following.restore(still.snapshot())
        following.run(1)
        still = following
    np.testing.assert_array_equal(moving.state.object_phase, still.state.object_phase)


def test_an_optimizer_without_momentum_is_named():
    problem, state = random_scene(positions=4)
    schedule = make_schedule("cyclic", least=0.1, momenta=(0.8, 0.9))
    engine = Engine(problem, state, Settings({"gaussian": {}}, "adagrad", {"probe": 1e-6}, schedule), "cpu")
    with pytest.raises(ConfigError, match="Adagrad: has no momentum"):
        engine.run(1)


def test_plateau_reads_the_history_of_losses():
    problem, state = random_scene(positions=4)
    schedule = make_schedule("plateau", factor=0.5, patience=0, threshold=10.0, threshold_mode="abs")
    engine = Engine(problem, state, Settings({"gaussian": {}}, "adam", {"probe": 1e-6}, schedule), "cpu")
    engine.run(4)  # the first iteration always is progress, the others never are by 10
    assert engine.history.learning_rates["probe"] == [1e-6, 1e-6, 5e-7, 2.5e-7]
