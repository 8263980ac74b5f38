"""The engine where something is wrong: divergence, too little memory, problems and settings that do not fit."""

from __future__ import annotations

import numpy as np
import pytest
from scenes import random_scene

from ptycupy import Constraint, Engine, Problem, Settings
from ptycupy.errors import ConfigError, DataError, DivergenceError, MemoryShortage

RATES = {"object_amplitude": 1e-2, "object_phase": 1e-2, "probe": 1e-3}


def test_fault_43_divergence_names_the_array_and_the_rates():
    problem, state = random_scene()
    engine = Engine(problem, state, Settings({"gaussian": {}}, learning_rates={"object_amplitude": 1e30}), "cpu")
    with pytest.raises(DivergenceError, match=r"object_amplitude 1e\+30.*tenth"):
        engine.run(5)
    assert engine.iteration <= 2


def test_fault_43_an_explosion_in_the_first_iteration_is_noticed():
    problem, state = random_scene()
    settings = Settings({"gaussian": {}}, learning_rates={"object_amplitude": 1e6}, batch_size=1)
    with pytest.raises(DivergenceError, match=r"iteration 1: the loss became .*e\+.* \(at first 0\.\d+\)"):
        Engine(problem, state, settings, "cpu").run(1)


@pytest.mark.parametrize("rate", [1e4, 1e12])
def test_fault_43_positions_that_stray_stop_before_the_canvas_grows(rate):
    problem, state = random_scene()
    engine = Engine(problem, state, Settings({"gaussian": {}}, learning_rates={"shifts": rate}), "cpu")
    canvas = engine.parameters.canvas
    with pytest.raises(DivergenceError, match=r"5 positions, the first is 0, strayed by up to .* px"):
        engine.run(1)
    assert engine.parameters.canvas == canvas


def test_fault_44_halve_lr_puts_everything_back():
    problem, state = random_scene()
    settings = Settings({"gaussian": {}}, learning_rates={"shifts": 80.0}, on_divergence="halve_lr")
    engine = Engine(problem, state, settings, "cpu")
    engine.run(8)
    assert engine.learning_rate_factor < 1
    moved = np.asarray(engine.problem.corners) + engine.state.shifts - engine.initial_positions
    assert np.abs(moved).max() < 8 * 80
    assert engine.history.iterations == list(range(1, 9))


def test_fault_44_halve_lr_goes_goes_back_and_on():
    problem, state = random_scene()
    settings = Settings({"gaussian": {}}, learning_rates={"object_amplitude": 60.0}, on_divergence="halve_lr")
    engine = Engine(problem, state, settings, "cpu")
    engine.run(6)
    assert engine.learning_rate_factor < 1
    assert np.isfinite(engine.history.total).all()
    assert max(engine.history.total) <= 100 * engine.history.total[0]


def test_fault_50_out_of_memory_halves_the_sub_batch():
    """The same result, in smaller pieces; refused with numbers where one pattern does not fit."""
    problem, state = random_scene(positions=8)
    settings = Settings({"gaussian": {}}, learning_rates=RATES, batch_size=8)
    plain, tight = (Engine(problem, state, settings, "cpu", "float64") for _ in range(2))
    limit = 3
    shift = tight.backend.shift_forward

    def scarce(probe, shifts):
        if len(shifts) > limit:
            raise MemoryShortage(f"out of memory for {len(shifts)} patterns")
        return shift(probe, shifts)

    tight.backend.shift_forward = scarce
    for engine in (plain, tight):
        engine.run(2)
    assert tight.sub_batch <= limit
    np.testing.assert_allclose(tight.state.object_phase, plain.state.object_phase, rtol=1e-6, atol=1e-9)
    limit = 0
    with pytest.raises(MemoryShortage, match="out of memory for 1 patterns"):
        tight.run(1)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"corners": np.zeros((4, 2), np.int32)}, DataError, "5 patterns, but corners"),
        ({"corners": np.full((5, 2), 40, np.int32)}, DataError, r"5 windows lie outside the 19 x 18 px object"),
        ({"pixel_size": None}, ConfigError, "3 slices need pixel_size and wavelength"),
        ({"mask": np.ones((3, 3), bool)}, ConfigError, "mask .* must have the detector's shape"),
        ({"object_occupancy": np.ones(3)}, ConfigError, "one weight per object mode"),
    ],
)
def test_problems_that_do_not_fit_are_named(change, error, message):
    problem, state = random_scene()
    with pytest.raises(error, match=message):
        Engine(Problem(**{**vars(problem), **change}), state, Settings({"gaussian": {}}), "cpu")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"losses": {}}, "at least one term"),
        ({"losses": {"gausian": {}}}, "losses.gausian: unknown"),
        ({"losses": {"gaussian": {"wieght": 1}}}, "unknown parameter"),
        ({"learning_rates": {"object": 1}}, "not a State field"),
        ({"optimizer": "adamm"}, "unknown"),
        ({"constraints": [Constraint("blur")]}, "unknown"),
        ({"constraints": [Constraint("depth_blur", sigma=1)]}, "unknown parameter 'sigma'"),
        ({"batch_size": 0}, "at least 1"),
    ],
)
def test_settings_that_cannot_be_meant_are_named(settings, message):
    problem, state = random_scene()
    with pytest.raises(ConfigError, match=message):
        Engine(problem, state, Settings(**{"losses": {"gaussian": {}}, **settings}), "cpu")
