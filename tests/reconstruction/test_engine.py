"""The engine on simulated data: convergence, positions, batches, resuming, divergence."""

from __future__ import annotations

import numpy as np
import pytest
from scenes import random_scene

import ptycupy
from ptycupy import Active, Constraint, Engine, Problem, Settings, State
from ptycupy.reconstruction.batches import make_groups

RATES = {"object_amplitude": 1e-2, "object_phase": 1e-2, "probe": 1e-3}


def scan(side=7, step=3, window=32, seed=0):
    """A raster over a smooth random phase object, with exact patterns; returns the problem and its truth."""
    g = np.random.default_rng(seed)
    canvas = window + step * (side - 1) + 16
    spectrum = np.fft.fft2(g.standard_normal((canvas, canvas)))
    f = np.fft.fftfreq(canvas)
    phase = np.fft.ifft2(spectrum * np.exp(-(f[:, None] ** 2 + f[None] ** 2) / (2 * 0.06**2))).real
    phase = 0.5 * (phase - phase.min()) / np.ptp(phase)
    r = np.arange(window) - window / 2
    probe = np.exp(-(r[:, None] ** 2 + r[None] ** 2) / 40) * np.exp(0.02j * (r[:, None] ** 2 + r[None] ** 2))
    corners = 8 + step * np.stack(np.meshgrid(np.arange(side), np.arange(side), indexing="ij"), -1).reshape(-1, 2)
    truth = State(
        np.ones((1, 1, canvas, canvas), np.float32),
        phase[None, None].astype(np.float32),
        probe[None].astype(np.complex64),
        np.zeros((side**2, 2), np.float32),
        np.zeros((1, 2), np.float32),
        np.float32(0),
    )
    empty = Problem(np.ones((side**2, window, window), np.float32), corners, scan_shape=(side, side))
    patterns = ptycupy.forward(empty, truth, np.arange(side**2), backend="cpu")
    return Problem(patterns, corners, scan_shape=(side, side)), truth


def start(truth, **changes):
    return truth.replace(object_phase=np.zeros_like(truth.object_phase), **changes)


def test_reconstructs_the_phase():
    problem, truth = scan()
    engine = Engine(problem, start(truth), Settings({"gaussian": {}}, learning_rates=RATES, batch_size=7), "cpu")
    engine.run(40)
    centre = np.s_[0, 0, 24:42, 24:42]
    found, wanted = engine.state.object_phase[centre], truth.object_phase[centre]
    assert np.corrcoef(found.ravel(), wanted.ravel())[0, 1] > 0.98
    assert engine.history.total[-1] < 0.2 * engine.history.total[0]


def test_position_errors_of_5_px_are_found_and_reanchored():
    """Errors of up to 5 px in y and x, known object: nearly every position comes back, and no shift stays large."""
    problem, truth = scan()
    errors = np.random.default_rng(4).integers(-5, 6, (49, 2)).astype(np.int32)
    wrong = Problem(problem.patterns, problem.corners + errors, scan_shape=(7, 7))
    settings = Settings({"gaussian": {}}, learning_rates={"shifts": 0.03}, batch_size=7)
    engine = Engine(wrong, truth, settings, "cpu")
    engine.run(100)
    left = np.abs(engine.problem.corners + engine.state.shifts - problem.corners).max(axis=1)
    assert np.median(left) < 0.05
    assert (left < 0.3).mean() > 0.9
    assert np.abs(engine.state.shifts).max() <= 0.5
    assert (engine.problem.corners != wrong.corners).any()


def test_canvas_grows_when_positions_leave_it():
    problem, truth = scan()
    engine = Engine(problem, truth, Settings({"gaussian": {}}, learning_rates={"shifts": 1e-3}), "cpu")
    pattern = engine.predict([0])
    engine.parameters.shifts[0] = (-11.0, -10.25)
    engine.run(1)
    canvas = engine.state.object_phase.shape[2:]
    assert canvas[0] > truth.object_phase.shape[2]
    assert (engine.problem.corners >= 0).all()
    moved = engine.initial_positions[0] - np.asarray(problem.corners[0])
    assert (moved > 0).all()
    at = np.asarray(problem.corners[1] + moved, int)
    np.testing.assert_array_equal(
        engine.state.object_amplitude[0, 0, at[0], at[1]], truth.object_amplitude[(0, 0, *problem.corners[1])]
    )
    assert pattern.shape == (1, 32, 32)


def test_sub_batches_give_the_same_reconstruction():
    """Sub-batches bound memory, not the algorithm."""
    problem, state = random_scene(positions=9)
    losses = {"gaussian": {}, "pacbed": {}, "sparsity": {}}
    states = []
    for sub_batch in (None, 2):
        settings = Settings(losses, learning_rates=RATES, batch_size=5, sub_batch=sub_batch)
        engine = Engine(problem, state, settings, "cpu", "float64")
        engine.run(3)
        states.append(engine.state)
    np.testing.assert_allclose(states[0].object_phase, states[1].object_phase, atol=1e-9)


def test_gradient_accumulation_is_the_mean_of_the_batches_losses():
    """Two batches of different size and one step: the gradient is their mean, weighted by patterns."""
    problem, state = random_scene(positions=5)
    settings = Settings({"gaussian": {}}, learning_rates={"probe": 1e-3}, batch_size=3, gradient_accumulation=2)

    class Recorder:
        def init(self, backend, parameter):
            self.grads = []

        def update(self, backend, parameter, grad, moments, learning_rate):
            self.grads.append(grad.copy())

    recorder = Recorder()
    engine = Engine(problem, state, Settings(**{**vars(settings), "optimizer": recorder}), "cpu", "float64")
    groups = [np.array([4, 1, 2], np.int32), np.array([0, 3], np.int32)]
    engine.pending = list(groups)
    engine.run(1)
    expected = sum(
        len(group)
        / 5
        * np.asarray(ptycupy.loss_and_gradients(problem, state, group, {"gaussian": {}}, "cpu", "float64")[1].probe)
        for group in groups
    )
    assert len(recorder.grads) == 1
    np.testing.assert_allclose(recorder.grads[0], expected, rtol=1e-10)


@pytest.mark.parametrize("grouping", ["random", "compact", "sparse"])
def test_resume_is_as_if_the_run_had_never_stopped(grouping):
    """Interrupted in the middle of an iteration, put into a new engine, finished: bit for bit the same."""
    problem, state = random_scene(positions=9)
    settings = Settings(
        {"gaussian": {}, "sparsity": {}},
        learning_rates={**RATES, "shifts": 1e-2, "tilts": 0.1},
        constraints=[Constraint("orthogonal_probe"), Constraint("fixed_probe_intensity"), Constraint("depth_blur")],
        batch_size=2,
        grouping=grouping,
    )
    whole = Engine(problem, state, settings, "cpu")
    whole.run(4)

    class StopAt:
        def on_batch(self, engine, number, batches):
            engine.stop_requested = engine.iteration == 1 and number == 3

        def on_iteration(self, engine): ...

        def on_stop(self, engine): ...

    first = Engine(problem, state, settings, "cpu")
    first.run(4, [StopAt()])
    assert first.iteration == 1
    assert len(first.pending) == 2
    snapshot = first.snapshot()
    second = Engine(problem, state, settings, "cpu")
    second.restore(snapshot)
    second.run(3)
    assert second.iteration == 4
    assert second.history.total == whole.history.total
    for (name, a), (_, b) in zip(whole.state.items(), second.state.items(), strict=True):
        np.testing.assert_array_equal(a, b, err_msg=name)


def test_fault_39_short_batches_count_by_their_patterns():
    """A batch larger than N, and a batch that does not divide N."""
    problem, state = random_scene(positions=5)
    frozen = Settings({"gaussian": {}}, batch_size=3)
    engine = Engine(problem, state, frozen, "cpu", "float64")
    groups = make_groups(engine.initial_positions, 3, "random", np.random.default_rng(0))
    engine.pending = [engine.used[group] for group in groups]
    engine.run(1)
    losses = [
        ptycupy.loss_and_gradients(problem, state, group, {"gaussian": {}}, "cpu", "float64", ())[0].total
        for group in groups
    ]
    assert engine.history.total[0] == pytest.approx((3 * losses[0] + 2 * losses[1]) / 5)
    one = Engine(problem, state, Settings({"gaussian": {}}, learning_rates=RATES, batch_size=64), "cpu")
    one.run(1)
    assert len(one.history.total) == 1


def test_windows_of_iterations_and_schedule():
    problem, state = random_scene(positions=3)
    settings = Settings(
        {"gaussian": {}},
        learning_rates={"probe": 1e-3, "object_phase": 1e-3},
        windows={"probe": Active(start=2, end=3)},
        schedule=lambda iteration: 1.0 / iteration,
    )
    engine = Engine(problem, state, settings, "cpu")
    probes = [engine.state.probe]
    for _ in range(3):
        engine.run(1)
        probes.append(engine.state.probe)
    changed = [bool((a != b).any()) for a, b in zip(probes, probes[1:], strict=False)]
    assert changed == [False, True, False]
    assert engine.history.learning_rates["object_phase"] == pytest.approx([1e-3, 5e-4, 1e-3 / 3])


def test_unused_positions_are_never_touched():
    problem, state = random_scene(positions=6)
    weights = np.array([1, 1, 0, 1, 0, 1], bool)
    engine = Engine(
        Problem(**{**vars(problem), "pattern_weights": weights}),
        state,
        Settings({"gaussian": {}}, learning_rates={"shifts": 1e-2}, batch_size=2),
        "cpu",
    )
    engine.run(2)
    moved = np.abs(engine.problem.corners + engine.state.shifts - problem.corners - state.shifts).max(axis=1) > 1e-5
    np.testing.assert_array_equal(moved, weights)


def test_fault_59_a_run_resumed_with_other_loss_terms_keeps_one_entry_per_iteration():
    problem, state = random_scene()
    first = Engine(problem, state, Settings({"gaussian": {}, "sparsity": {}}, learning_rates=RATES), "cpu")
    first.run(2)
    second = Engine(problem, state, Settings({"poisson": {}, "gaussian": {}}, learning_rates=RATES), "cpu")
    second.restore(first.snapshot())
    second.run(1)
    absent = {name: np.isnan(values).tolist() for name, values in second.history.losses.items()}
    assert absent == {
        "gaussian": [False, False, False],
        "sparsity": [False, False, True],
        "poisson": [True, True, False],
    }


def test_given_arrays_are_never_changed():
    problem, state = random_scene()
    before = {name: np.array(value) for name, value in state.items()}
    corners = np.array(problem.corners)
    rates = dict.fromkeys(before, 0.1)
    engine = Engine(problem, state, Settings({"gaussian": {}}, learning_rates=rates), "cpu", "float64")
    engine.run(2)
    np.testing.assert_array_equal(problem.corners, corners)
    for name, value in state.items():
        np.testing.assert_array_equal(value, before[name])


def test_a_term_a_constraint_and_an_optimizer_of_ones_own():
    """Objects of the right shape work without an edit here."""
    from ptycupy.model.losses import Gaussian

    calls = []

    class Twice(Gaussian):
        def ops(self, batch, statistics):
            calls.append(batch.total)
            return super().ops(batch, statistics)

    problem, state = random_scene()
    engine = Engine(problem, state, Settings({"mine": Twice(weight=2.0)}, learning_rates=RATES), "cpu")
    engine.run(1)
    assert calls == [5]
    assert set(engine.history.losses) == {"mine"}
