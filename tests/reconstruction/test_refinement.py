"""Optional parameters come back from a wrong start, with object and probe held at the truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scenes import random_scene

import ptycupy
from ptycupy import Engine, Problem, Settings, State
from ptycupy.errors import ConfigError, DivergenceError
from ptycupy.storage.result import load_result

SIDE, STEP, WINDOW, CANVAS = 7, 4, 32, 80
COUNT = SIDE**2


def truth(seed=0):
    """A raster over a smooth random phase object, with a defocused probe, in angstrom."""
    g = np.random.default_rng(seed)
    spectrum, f = np.fft.fft2(g.standard_normal((CANVAS, CANVAS))), np.fft.fftfreq(CANVAS)
    phase = np.fft.ifft2(spectrum * np.exp(-(f[:, None] ** 2 + f[None] ** 2) / (2 * 0.08**2))).real
    phase *= 0.5 / np.abs(phase).max()
    probe = ptycupy.make_probe(80.0, 24.9, (WINDOW, WINDOW), 0.25, {"C10": -120.0})[None]
    grid = np.stack(np.meshgrid(np.arange(SIDE), np.arange(SIDE), indexing="ij"), -1).reshape(-1, 2)
    corners = (12 + STEP * grid).astype(np.int32)
    state = State(
        np.ones((1, 1, CANVAS, CANVAS)),
        phase[None, None],
        probe,
        np.zeros((COUNT, 2)),
        np.zeros((1, 2)),
        np.float64(0),
    )
    return Problem(np.ones((COUNT, WINDOW, WINDOW)), corners, pixel_size=0.25, wavelength=0.0418), state


def measured(problem, state):
    return replace(problem, patterns=ptycupy.forward(problem, state, np.arange(COUNT), "cpu", "float64"))


def refined(problem, state, iterations, power=0.5, **rates):
    """An engine after full-batch iterations; power 1 compares intensities, which depend on some parameters linearly."""
    settings = Settings({"gaussian": {"power": power}}, learning_rates=rates, batch_size=COUNT)
    engine = Engine(problem, state, settings, "cpu", "float64")
    engine.run(iterations)
    return engine


def test_a_defocus_error_of_50_angstrom_is_found():
    problem, state = truth()
    problem = measured(problem, state)
    wrong = state.replace(
        probe=ptycupy.make_probe(80.0, 24.9, (WINDOW, WINDOW), 0.25, {"C10": -70.0})[None], aberrations=np.zeros(1)
    )
    engine = refined(replace(problem, aberrations=("C10",)), wrong, 120, aberrations=2.0)
    assert engine.state.aberrations[0] == pytest.approx(-50.0, abs=1.0)


def test_scale_and_rotation_of_the_scan_are_found():
    """1 % and 0.5 degrees; whole pixels may move into the corners, the affine goes on acting on nominal positions."""
    problem, state = truth()
    made = measured(problem, state.replace(scan_affine=np.array([0.01, 0.0, 0.5, 0.0])))
    engine = refined(made, state.replace(scan_affine=np.zeros(4)), 150, scan_affine=5e-3)
    assert (np.abs(engine.state.scan_affine - [0.01, 0, 0.5, 0]) < [1e-3, 5e-3, 0.03, 0.06]).all()


def test_a_large_distortion_moves_into_the_corners_and_no_pattern_changes():
    problem, state = truth()
    r = np.arange(WINDOW) - WINDOW // 2
    compact = np.exp(-(r[:, None] ** 2 + r**2) / 8)[None].astype(complex)  # what moves within a window must fit into it
    state = state.replace(probe=compact, scan_affine=np.array([0.2, 0.0, 0.0, 0.0]))
    engine = Engine(problem, state, Settings({"gaussian": {}}, learning_rates={"shifts": 1e-30}), "cpu", "float64")
    before = engine.predict([0, 5, 48])
    engine.run(1)
    assert (engine.problem.corners != np.asarray(problem.corners)).any()
    np.testing.assert_allclose(engine.predict([0, 5, 48]), before, rtol=0, atol=1e-6 * before.max())
    again = ptycupy.forward(engine.problem, engine.state, [0, 5, 48], "cpu", "float64")
    np.testing.assert_allclose(again, engine.predict([0, 5, 48]), rtol=1e-12)
    found = engine.problem.corners + engine.snapshot().shifts
    centre = np.mean(problem.corners, axis=0)
    np.testing.assert_allclose(found, centre + 1.2 * (problem.corners - centre), atol=1e-9)


def test_descan_of_half_a_pixel_is_found():
    problem, state = truth()
    grid = (np.asarray(problem.corners) - 24.0) / 24
    descan = 0.5 * np.stack([grid[:, 1], -grid[:, 0]], axis=1)
    engine = refined(
        measured(problem, state.replace(descan=descan)), state.replace(descan=0 * descan), 100, 1.0, descan=0.02
    )
    np.testing.assert_allclose(engine.state.descan, descan, atol=0.02)


def test_background_and_intensity_drift_are_found():
    problem, state = truth()
    scale = 1 / WINDOW**2
    background = scale * (0.3 + 0.2 * np.cos(np.linspace(0, 3, WINDOW)))[:, None] * np.ones(WINDOW)
    drift = 1 + 0.1 * np.sin(np.arange(COUNT) / 8)
    made = measured(problem, state.replace(background=background, pattern_intensity=drift))
    start = state.replace(background=np.zeros_like(background), pattern_intensity=np.ones(COUNT))
    engine = refined(made, start, 200, 1.0, background=1e-5, pattern_intensity=5e-3)
    np.testing.assert_allclose(engine.state.pattern_intensity, drift, atol=0.01)
    np.testing.assert_allclose(engine.state.background, background, atol=0.1 * scale)
    assert engine.state.background.min() >= 0


def test_a_probe_that_varies_is_followed():
    """Half of the way to a perfect fit and better, with orthogonal variations and centred weights."""
    problem, state = truth()
    tilted = state.probe * np.exp(2j * np.pi * np.arange(WINDOW) / WINDOW)
    change = 0.3 * np.linspace(-1, 1, COUNT)[:, None]
    made = measured(problem, state.replace(probe_variations=tilted, variation_weights=change))
    from ptycupy.experiment.probe import probe_variations

    start = state.replace(probe_variations=probe_variations(state.probe, 2), variation_weights=np.zeros((COUNT, 2)))
    engine = refined(made, start, 80, probe_variations=2e-3, variation_weights=1e-2, probe=1e-3)
    assert engine.history.total[-1] < 0.3 * engine.history.total[0]
    flat = engine.state.probe_variations.reshape(2, -1)
    power = np.sum(np.abs(state.probe) ** 2)
    np.testing.assert_allclose((flat @ flat.conj().T).real, power * np.eye(2), atol=1e-10 * power)
    np.testing.assert_allclose(engine.state.variation_weights.mean(0), 0, atol=1e-12)


def test_thickness_is_found_for_each_gap():
    problem, state = random_scene(tilt_per_position=False, positions=12, object_modes=1, probe_modes=1)
    patterns = ptycupy.forward(problem, state, np.arange(12), "cpu", "float64")
    wrong = state.replace(slice_thickness=state.slice_thickness + [1.0, -1.0])
    engine = refined(replace(problem, patterns=patterns), wrong, 200, slice_thickness=0.02)
    np.testing.assert_allclose(engine.state.slice_thickness, state.slice_thickness, atol=0.02)


ALL_RATES = {
    "object_phase": 1e-3, "probe": 1e-3, "shifts": 1e-3, "tilts": 1e-2, "slice_thickness": 1e-2,
    "pattern_intensity": 1e-3, "background": 1e-3, "descan": 1e-3, "aberrations": 0.1, "scan_affine": 1e-3,
    "probe_variations": 1e-3, "variation_weights": 1e-3,
}  # fmt: skip


def test_a_saved_run_with_every_field_goes_on_bit_for_bit(tmp_path):
    problem, state = random_scene(optional=True)
    settings = Settings({"gaussian": {}}, learning_rates=ALL_RATES, batch_size=2)
    whole, first, second = (Engine(problem, state, settings, "cpu") for _ in range(3))
    whole.run(4)
    first.run(2)
    first.save(tmp_path / "result.h5")
    second.restore(load_result(tmp_path / "result.h5"))
    second.run(2)
    assert len(whole.state.items()) == 13
    for (name, expected), (_, found) in zip(whole.state.items(), second.state.items(), strict=True):
        np.testing.assert_array_equal(found, expected, err_msg=name)
    np.testing.assert_array_equal(second.snapshot().shifts, whole.snapshot().shifts)


def test_a_resumed_run_may_refine_more_than_before():
    problem, state = random_scene()
    first = Engine(problem, state, Settings({"gaussian": {}}, learning_rates={"probe": 1e-3}), "cpu")
    first.run(2)
    more = Settings({"gaussian": {}}, learning_rates={"probe": 1e-3, "descan": 1e-3})
    second = Engine(problem, state.replace(descan=np.zeros((5, 2))), more, "cpu")
    second.restore(first.snapshot())
    second.run(1)
    assert second.state.descan.any()
    assert second.history.learning_rates["descan"] == [0.0, 0.0, 1e-3]


def test_refining_what_the_state_has_not_is_refused():
    problem, state = random_scene()
    with pytest.raises(ConfigError, match="learning_rates.descan: the State has no descan to refine"):
        Engine(problem, state, Settings({"gaussian": {}}, learning_rates={"descan": 1e-3}), "cpu")


@pytest.mark.parametrize(
    ("rates", "message"),
    [({"slice_thickness": 60.0}, "driven below 0 angstrom"), ({"tilts": 900.0}, "driven beyond 1400 mrad")],
)
def test_fault_47_thickness_and_tilt_are_clamped_with_a_warning(rates, message, caplog):
    problem, state = random_scene()
    engine = Engine(problem, state, Settings({"gaussian": {}}, learning_rates=rates), "cpu", "float64")
    with caplog.at_level("WARNING", logger="ptycupy"):
        engine.run(6)
    assert sum(message in record.message for record in caplog.records) == 1
    assert engine.state.slice_thickness.min() >= 0
    assert np.abs(engine.state.tilts).max() <= 1400
    assert np.isfinite(engine.history.total).all()


@pytest.mark.parametrize("name", ["probe", "object_amplitude"])
def test_fault_46_a_probe_or_object_that_collapses_to_0_is_detected(name):
    problem, state = random_scene()
    engine = Engine(problem, state, Settings({"gaussian": {}}, learning_rates={"shifts": 1e-6}), "cpu")
    engine.run(1)
    engine.backend.fill(getattr(engine.parameters, name), 0.0)
    with pytest.raises(DivergenceError, match=f"{name} collapsed") as raised:
        engine.run(1)
    assert raised.value.exit_code == 5
