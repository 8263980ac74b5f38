"""What other packages depend on: names, signatures, shapes and kinds of arrays, exactly as documented."""

from __future__ import annotations

import inspect
import pickle
from dataclasses import FrozenInstanceError, fields, is_dataclass, replace
from types import ModuleType

import numpy as np
import pytest
from scenes import random_scene

import ptycupy
from ptycupy import Active, Constraint, Engine, Problem, Settings, State
from ptycupy.errors import ConfigError, DataError
from ptycupy.storage.result import load_result

FIELDS = ("object_amplitude", "object_phase", "probe", "shifts", "tilts", "slice_thickness")
GAUSSIAN = {"gaussian": {}}
RATES = dict.fromkeys(FIELDS, 1e-3)


# --- names and signatures ---------------------------------------------------------------------------------------
def parameters_of(function):
    """Names with their defaults; `...` where there is none."""
    found = inspect.signature(function).parameters.values()
    marks = {inspect.Parameter.VAR_KEYWORD: "**", inspect.Parameter.VAR_POSITIONAL: "*"}
    return {marks.get(p.kind, "") + p.name: ... if p.default is p.empty else p.default for p in found}


EVERY_FIELD = dict.fromkeys(FIELDS, ...)
CALL = {"backend": "auto", "dtype": "float32"}


@pytest.mark.parametrize(
    ("name", "beginning"),
    [
        ("Problem", {"patterns": ..., "corners": ..., "pixel_size": None, "wavelength": None, "object_occupancy": None,
                     "detector_blur": 0.0, "mask": None, "scan_shape": None, "pattern_scale": 1.0}),
        ("State", EVERY_FIELD),
        ("forward", {"problem": ..., "state": ..., "indices": ..., **CALL}),
        ("loss_and_gradients", {"problem": ..., "state": ..., "indices": ..., "losses": ..., **CALL,
                                "parameters": None}),
        ("Constraint", {"name": ..., "start": 1, "step": 1, "end": None, "**parameters": ...}),
        ("Engine", {"problem": ..., "state": ..., "settings": ..., **CALL}),
        ("apply_constraint", {"name": ..., "problem": ..., "state": ..., **CALL, "**parameters": ...}),
        ("make_probe", {"kv": ..., "convergence_angle": ..., "shape": ..., "pixel_size": ..., "aberrations": {},
                        "modes": 1, "mode_power": 0.02}),
        ("check_gradient", {"op": ..., "*inputs": ..., "dtype": "float32"}),
        ("reconstruct", {"config": ...}),
    ],
)  # fmt: skip
def test_signatures(name, beginning):
    """Keywords in this order with these defaults; more may follow."""
    found = parameters_of(getattr(ptycupy, name))
    assert list(found.items())[: len(beginning)] == list(beginning.items())


def test_signature_of_settings():
    found = parameters_of(Settings)
    assert list(found)[:8] == [
        "losses", "optimizer", "learning_rates", "schedule", "constraints", "batch_size", "grouping", "seed",
    ]  # fmt: skip
    made = Settings({"gaussian": {}})
    assert (made.optimizer, made.schedule, made.batch_size, made.grouping, made.seed) == ("adam", None, 16, "random", 0)


def test_every_public_name_can_be_imported_and_no_other():
    for name in ptycupy.__all__:
        assert getattr(ptycupy, name) is not None
    assert set(ptycupy.__all__) < set(dir(ptycupy))
    assert isinstance(ptycupy.backends, ModuleType)
    assert ptycupy.__version__.count(".") == 2
    with pytest.raises(AttributeError, match="no attribute 'Enigne'"):
        _ = ptycupy.Enigne


def test_methods_and_attributes():
    assert [name for name in ("run", "step", "state", "save") if not hasattr(Engine, name)] == []
    assert [name for name in ("state", "history", "save", "export") if not hasattr(ptycupy.Result, name)] == []
    assert [name for name in ("forward", "backward") if not hasattr(ptycupy.Op, name)] == []
    assert [name for name in ("apply", "backward", "variable", "constant") if not hasattr(ptycupy.Tape, name)] == []
    assert tuple(field.name for field in fields(State))[:6] == FIELDS  # those after them are optional


@pytest.mark.parametrize("kind", [Problem, State, Settings, Constraint, Active])
def test_what_describes_is_frozen(kind):
    assert is_dataclass(kind)
    problem, state = random_scene()
    made = {Problem: problem, State: state, Settings: Settings(GAUSSIAN), Constraint: Constraint("depth_blur")}
    target = made.get(kind, Active())
    with pytest.raises(FrozenInstanceError):
        setattr(target, fields(kind)[0].name, 1)


def test_what_describes_can_be_pickled():
    problem, state = random_scene()
    settings = Settings(GAUSSIAN, learning_rates=RATES, constraints=[Constraint("depth_blur", 2, 3, 9, std=0.5)])
    again = pickle.loads(pickle.dumps((problem, state, settings)))
    np.testing.assert_array_equal(again[0].patterns, problem.patterns)
    np.testing.assert_array_equal(again[1].probe, state.probe)
    assert again[2] == settings
    assert again[2].constraints[0].parameters == {"std": 0.5}


def test_backends_say_why_they_cannot_be_used():
    found = ptycupy.backends.available()
    assert list(found) == ["cpu", "cuda"]
    assert found["cpu"] == ""
    assert all(isinstance(reason, str) and "\n" not in reason for reason in found.values())


# --- forward and gradients --------------------------------------------------------------------------------------
def test_forward_has_the_beam_in_the_centre_and_the_probes_units():
    problem, state = random_scene(window=(12, 10))
    found = ptycupy.forward(problem, state, [3, 0], backend="cpu")
    assert (found.shape, found.dtype) == ((2, 12, 10), np.float32)
    vacuum = state.replace(object_amplitude=np.ones_like(state.object_amplitude), object_phase=0 * state.object_phase)
    flat = vacuum.replace(probe=np.ones((1, 12, 10)), tilts=np.zeros((1, 2)))
    pattern = ptycupy.forward(problem, flat, [0], backend="cpu", dtype="float64")[0]
    assert np.unravel_index(pattern.argmax(), pattern.shape) == (6, 5)
    assert pattern.sum() == pytest.approx(120)


def test_forward_of_no_position_is_empty_and_a_loss_of_none_is_refused():
    problem, state = random_scene()
    assert ptycupy.forward(problem, state, [], backend="cpu").shape == (0, 12, 12)
    with pytest.raises(DataError, match="indices: 0 positions"):
        ptycupy.loss_and_gradients(problem, state, [], GAUSSIAN, backend="cpu")
    with pytest.raises(DataError, match="indices: 0 positions"):
        Engine(problem, state, Settings(GAUSSIAN), backend="cpu").step([])
    with pytest.raises(DataError, match="no position is left"):
        Engine(replace(problem, pattern_weights=np.zeros(5, bool)), state, Settings(GAUSSIAN), backend="cpu")


def test_a_loss_has_a_total_and_weighted_terms():
    problem, state = random_scene()
    losses = {"gaussian": {"weight": 2.0}, "sparsity": {"weight": 0.5, "order": 1}}
    loss, _ = ptycupy.loss_and_gradients(problem, state, [0, 1], losses, backend="cpu", parameters=())
    assert list(loss.terms) == ["gaussian", "sparsity"]
    assert loss.total == pytest.approx(sum(loss.terms.values()))
    one, _ = ptycupy.loss_and_gradients(problem, state, [0, 1], GAUSSIAN, backend="cpu", parameters=())
    assert loss.terms["gaussian"] == pytest.approx(2 * one.total)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gradients_have_the_states_shapes_and_vanish_outside_the_batch(dtype):
    problem, state = random_scene()
    _, gradients = ptycupy.loss_and_gradients(problem, state, [4, 1], GAUSSIAN, backend="cpu", dtype=dtype)
    assert isinstance(gradients, State)
    for name in FIELDS:
        found, given = getattr(gradients, name), np.asarray(getattr(state, name))
        assert found.shape == given.shape, name
        assert found.dtype == np.result_type(dtype, "c8" if name == "probe" else dtype), name
        assert found.any(), name
    for rows in (gradients.shifts, gradients.tilts):
        np.testing.assert_array_equal(rows.any(axis=1), [False, True, False, False, True])


def test_gradients_that_are_not_wanted_are_none():
    problem, state = random_scene()
    _, gradients = ptycupy.loss_and_gradients(problem, state, [0], GAUSSIAN, backend="cpu", parameters=["tilts"])
    assert [name for name, grad in gradients.items() if grad is not None] == ["tilts"]
    with pytest.raises(ConfigError, match="'tilt' is no State field"):
        ptycupy.loss_and_gradients(problem, state, [0], GAUSSIAN, backend="cpu", parameters=["tilt"])


@pytest.mark.parametrize(("thickness", "shape"), [(8.0, ()), (np.array(8.0), ()), (np.array([8.0, 9.0]), (2,))])
def test_thickness_comes_back_as_it_was_given(thickness, shape):
    problem, state = random_scene()
    state = state.replace(slice_thickness=thickness)
    _, gradients = ptycupy.loss_and_gradients(problem, state, [0], GAUSSIAN, backend="cpu")
    constrained = ptycupy.apply_constraint("depth_blur", problem, state, backend="cpu")
    engine = Engine(problem, state, Settings(GAUSSIAN, learning_rates=RATES), backend="cpu")
    engine.run(1)
    for found in (gradients, constrained, engine.state):
        assert np.shape(found.slice_thickness) == shape
    if not shape:
        each = state.replace(slice_thickness=np.full(2, 8.0))
        _, parts = ptycupy.loss_and_gradients(problem, each, [0], GAUSSIAN, backend="cpu")
        assert gradients.slice_thickness == pytest.approx(parts.slice_thickness.sum(), rel=1e-4)


def test_one_slice_needs_no_pixel_size_and_has_no_gap():
    problem, state = random_scene(slices=1, pixel_size=None, wavelength=None)
    for thickness in (0.0, np.zeros(0)):
        engine = Engine(
            problem, state.replace(slice_thickness=thickness), Settings(GAUSSIAN, learning_rates=RATES), "cpu"
        )
        engine.run(1)
        assert engine.state.slice_thickness.shape == np.shape(thickness)
        assert np.isfinite(engine.history.total).all()


def test_masked_pixels_do_not_count():
    """True = the pixel counts; means run over counted pixels; the beam of the mask is in the centre too."""
    mask = np.ones((12, 10), bool)
    mask[2:4, 5:] = False
    problem, state = random_scene(window=(12, 10), mask=mask)
    spoilt = problem.patterns.copy()
    spoilt[:, ~mask] = 1e6
    losses = {"gaussian": {}, "poisson": {}, "pacbed": {}}
    found = [
        ptycupy.loss_and_gradients(replace(problem, patterns=p), state, [0, 2], losses, "cpu", "float64")
        for p in (problem.patterns, spoilt)
    ]
    assert found[0][0].terms == found[1][0].terms
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(found[0][1], name), getattr(found[1][1], name), err_msg=name)
    model = np.sqrt(ptycupy.forward(problem, state, [0, 2], "cpu", "float64")[:, mask])
    measured = np.sqrt(problem.patterns[[0, 2]][:, mask])
    by_hand = np.sqrt(np.mean((model - measured) ** 2)) / measured.mean()
    assert found[0][0].terms["gaussian"] == pytest.approx(by_hand, rel=1e-12)


@pytest.mark.parametrize("scale", [3.0, np.array([1.0, 2.0, 3.0, 4.0, 5.0])], ids=["one number", "one per pattern"])
def test_pattern_scale_multiplies_patterns(scale):
    problem, state = random_scene()
    scaled = replace(problem, patterns=problem.patterns * np.reshape(scale, (-1, 1, 1)))
    losses = [
        ptycupy.loss_and_gradients(p, state, [0, 3], GAUSSIAN, "cpu", "float64", ())[0].total
        for p in (scaled, replace(problem, pattern_scale=scale))
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-12)


# --- engine -----------------------------------------------------------------------------------------------------
def test_an_engine_steps_runs_and_saves(tmp_path):
    problem, state = random_scene()
    engine = Engine(problem, state, Settings(GAUSSIAN, learning_rates=RATES, batch_size=2), backend="cpu")
    first = engine.step([0, 1])
    assert engine.step([0, 1]).total < first.total
    assert engine.iteration == 0
    engine.run(2)
    engine.run(1)
    assert engine.history.iterations == [1, 2, 3]
    engine.save(tmp_path / "result.h5")
    saved = load_result(tmp_path / "result.h5").state
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(saved, name), getattr(engine.state, name))
    engine.state.probe[...] = 0
    assert engine.state.probe.any(), "engine.state is a copy"


def test_a_constraint_is_applied_as_the_loop_does():
    problem, state = random_scene()
    settings = Settings(GAUSSIAN, constraints=[Constraint("depth_blur", std=0.7)])
    engine = Engine(problem, state, settings, backend="cpu")
    engine.run(1)
    alone = ptycupy.apply_constraint("depth_blur", problem, state, backend="cpu", std=0.7)
    np.testing.assert_array_equal(alone.object_phase, engine.state.object_phase)


@pytest.mark.parametrize(
    "change",
    [{"grouping": "spars"}, {"sub_batch": 0}, {"windows": {"objp": Active()}}, {"on_divergence": "hope"}],
)
def test_settings_are_checked_when_they_are_made(change):
    with pytest.raises(ConfigError, match=next(iter(change))):
        Settings(GAUSSIAN, **change)
    with pytest.raises(ConfigError, match="'phse' must be amplitude"):
        Engine(*random_scene(), Settings({"similarity": {"fields": "phse"}}), backend="cpu")
    with pytest.raises(ConfigError, match="step: 0"):
        Constraint("depth_blur", step=0)
