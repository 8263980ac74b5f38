"""What the patterns cannot tell: removed from the state, and the patterns stay."""

from __future__ import annotations

import numpy as np
import pytest
from scenes import random_scene

import ptycupy
from ptycupy import Constraint, Engine, Settings


def scene(slices=1, window=(32, 32), probe_modes=2):
    """A weak object in many windows, and a probe that is nearly nothing at the edges of its window."""
    problem, state = random_scene(window=window, slices=slices, probe_modes=probe_modes, positions=8)
    y, x = (np.arange(n) - n // 2 for n in window)
    envelope = np.exp(-(y[:, None] ** 2 + x**2) / (0.02 * window[0] * window[1]))
    modes = np.stack([np.ones(window), (2 * y[:, None] / window[0] + 0.2j) * np.ones(window)])
    return problem, state.replace(
        probe=(envelope * modes)[:probe_modes], object_amplitude=1 - 0.05 * np.abs(state.object_phase),
        slice_thickness=np.asarray(8.0),
    )  # fmt: skip


def apply(name, problem, state, **parameters):
    return ptycupy.apply_constraint(name, problem, state, backend="cpu", dtype="float64", **parameters)


def pattern_change(problem, before, after):
    a, b = (ptycupy.forward(problem, s, range(8), backend="cpu", dtype="float64") for s in (before, after))
    return np.abs(b - a).max() / a.max()


def sloped(state, slope_y, slope_x):
    y, x = np.ogrid[: state.object_phase.shape[2], : state.object_phase.shape[3]]
    return state.replace(object_phase=state.object_phase + slope_y * y + slope_x * x)


def slope_of(problem, state):
    """Mean slope over the box of the middles of all windows."""
    (y0, x0), (y1, x1) = (f(problem.corners, axis=0) + 16 for f in (np.min, np.max))
    box = state.object_phase.mean((0, 1))[y0 : y1 + 1, x0 : x1 + 1]
    y, x = np.indices(box.shape).reshape(2, -1)
    fit, *_ = np.linalg.lstsq(np.stack([y, x, np.ones_like(y)], 1).astype(float), box.ravel(), rcond=None)
    return fit[:2]


@pytest.mark.parametrize("relax", [0.0, 0.4])
def test_phase_ramp_removal(relax):
    problem, state = scene()
    state = sloped(state, 0.11, -0.07)
    before = slope_of(problem, state)
    after = apply("phase_ramp_removal", problem, state, relax=relax)
    np.testing.assert_allclose(slope_of(problem, after), relax * before, atol=1e-12)
    assert pattern_change(problem, state, after) < 1e-4
    np.testing.assert_array_equal(after.tilts, state.tilts)  # one slice: no tilt


def test_phase_ramp_removal_from_many_slices_is_a_change_of_tilt_too():
    """What is left is that the slices to come are tilted, not the mean of them; it grows with the slope."""
    problem, state = scene(slices=4)
    ramp = (0.005, -0.004)  # rad/px in every slice: the residue grows with it
    y, x = np.ogrid[: state.object_phase.shape[2], : state.object_phase.shape[3]]
    state = state.replace(object_phase=0.3 * state.object_phase + ramp[0] * y + ramp[1] * x)
    after = apply("phase_ramp_removal", problem, state)
    np.testing.assert_allclose(slope_of(problem, after), 0, atol=1e-12)
    change = pattern_change(problem, state, after)
    assert change < 1e-4
    for share in (0, 2):  # none of the tilt, and twice as much
        other = after.replace(tilts=state.tilts + share * (after.tilts - state.tilts))
        assert pattern_change(problem, state, other) > 1.5 * change


@pytest.mark.parametrize("relax", [0.0, 0.4])
def test_probe_centring(relax):
    problem, state = scene()
    probe = np.roll(state.probe, (2, -1), (1, 2))
    state = state.replace(probe=probe)
    after = apply("probe_centring", problem, state, relax=relax)
    y, x = np.indices(probe.shape[1:])

    def centre(p):
        power = (np.abs(p) ** 2).sum(0)
        return np.array([(power * y).sum(), (power * x).sum()]) / power.sum() - 16

    np.testing.assert_allclose(centre(after.probe), relax * centre(probe), atol=1e-3)
    np.testing.assert_allclose(after.shifts - state.shifts, np.tile((1 - relax) * centre(probe), (8, 1)), atol=1e-12)
    assert pattern_change(problem, state, after) < 1e-10


@pytest.mark.parametrize("relax", [0.0, 0.4])
def test_probe_object_ambiguity(relax):
    problem, state = scene(slices=3)
    means = np.array([1.3, 0.7, 0.9])[None, :, None, None]
    state = state.replace(object_amplitude=means * state.object_amplitude)
    after = apply("probe_object_ambiguity", problem, state, relax=relax)
    (y0, x0), (y1, x1) = (f(problem.corners, axis=0) + 16 for f in (np.min, np.max))
    found = (s.object_amplitude[:, :, y0 : y1 + 1, x0 : x1 + 1].mean((0, 2, 3)) for s in (state, after))
    before, now = found
    np.testing.assert_allclose(now, before**relax)
    assert pattern_change(problem, state, after) < 1e-10


def test_they_follow_positions_that_moved_into_the_corners():
    """In the loop, too, no loss changes, though corners are re-anchored and the canvas grows meanwhile."""
    problem, state = scene()
    state = sloped(state.replace(probe=np.roll(state.probe, (3, -2), (1, 2))), 0.1, 0.05)
    names = ("probe_centring", "phase_ramp_removal", "probe_object_ambiguity")
    engine = Engine(
        problem, state, Settings({"gaussian": {}}, learning_rates={"shifts": 1e-12},
                                 constraints=[Constraint(name) for name in names], batch_size=8), "cpu", "float64",
    )  # fmt: skip
    engine.run(3)
    assert np.abs(engine.problem.corners - problem.corners).max() >= 2
    np.testing.assert_allclose(engine.history.total, engine.history.total[0], rtol=1e-4)
    dark = state.replace(object_amplitude=0 * state.object_amplitude, probe=0 * state.probe)
    for name in names:
        assert np.isfinite(apply(name, problem, dark).probe).all()
