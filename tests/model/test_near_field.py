"""Near-field ptychography: the detector's plane against a direct transform, gradients, and a reconstruction."""

import numpy as np
import pytest
from scenes import random_scene

import ptycupy
from ptycupy.errors import ConfigError
from ptycupy.experiment.propagation import near_field_transfer

SCENE = {"pixel_size": 500.0, "wavelength": 1.0, "slices": 1, "near_field_distance": 1.2e6}


@pytest.mark.parametrize("window", [(12, 12), (13, 10)])
def test_patterns_are_the_propagated_exit_wave(window):
    """Positions and detector stay in place: the image of pixel (y, x) is pixel (y, x) of the pattern."""
    problem, state = random_scene(window=window, probe_modes=1, object_modes=1, **SCENE)
    found = ptycupy.forward(problem, state.replace(shifts=0 * state.shifts), [0, 3], "cpu", "float64")
    ky, kx = (np.fft.fftfreq(n, 500.0) for n in window)
    k2 = ky[:, None] ** 2 + kx[None, :] ** 2
    transfer = np.exp(2j * np.pi * 1.2e6 * (np.sqrt(1 - k2) - 1))
    for pattern, index in zip(found, (0, 3), strict=True):
        y, x = problem.corners[index]
        region = np.s_[0, 0, y : y + window[0], x : x + window[1]]
        wave = state.probe[0] * state.object_amplitude[region] * np.exp(1j * state.object_phase[region])
        image = np.abs(np.fft.ifft2(transfer * np.fft.fft2(wave))) ** 2
        np.testing.assert_allclose(pattern, image, atol=1e-9)  # 1e-10 is added to every intensity


@pytest.mark.parametrize("field", ["object_amplitude", "object_phase", "probe", "shifts"])
def test_gradients(field):
    problem, state = random_scene(window=(13, 10), detector=(9, 10), detector_blur=0.7, **SCENE)
    direction = np.random.default_rng(1).standard_normal(np.shape(getattr(state, field)))

    def loss(step):
        moved = state.replace(**{field: getattr(state, field) + step * direction})
        return ptycupy.loss_and_gradients(problem, moved, range(5), {"gaussian": {}}, "cpu", "float64", ())[0].total

    _, gradients = ptycupy.loss_and_gradients(problem, state, range(5), {"gaussian": {}}, "cpu", "float64", (field,))
    h = 1e-4
    numerical = (8 * (loss(h) - loss(-h)) - (loss(2 * h) - loss(-2 * h))) / (12 * h)
    assert np.vdot(getattr(gradients, field), direction).real == pytest.approx(numerical, rel=1e-6)


def moved(descan, window=(13, 10)):
    problem, state = random_scene(window=window, probe_modes=1, object_modes=1, **SCENE)
    return problem, state.replace(descan=np.asarray(descan, float))


def test_descan_moves_images_down_and_right():
    still, whole, part = (
        ptycupy.forward(*moved(np.tile(by, (5, 1))), [0, 3], "cpu", "float64") for by in ((0, 0), (2, 1), (0.5, -0.25))
    )
    np.testing.assert_allclose(whole, np.roll(still, (2, 1), (1, 2)), rtol=1e-4)
    twice = ptycupy.forward(*moved(np.tile((1.0, -0.5), (5, 1))), [0, 3], "cpu", "float64")
    assert np.abs(part - still).max() < np.abs(twice - still).max()


def test_descan_zero_is_the_same_as_none():
    problem, state = moved(np.zeros((5, 2)))
    without = ptycupy.forward(problem, state.replace(descan=None), [0, 3], "cpu", "float64")
    np.testing.assert_allclose(ptycupy.forward(problem, state, [0, 3], "cpu", "float64"), without, rtol=1e-9)


def test_gradient_of_descan():
    problem, state = moved(np.random.default_rng(3).uniform(-1.5, 1.5, (5, 2)))
    direction = np.random.default_rng(1).standard_normal((5, 2))

    def loss(step):
        at = state.replace(descan=state.descan + step * direction)
        return ptycupy.loss_and_gradients(problem, at, range(5), {"gaussian": {}}, "cpu", "float64", ())[0].total

    _, gradients = ptycupy.loss_and_gradients(problem, state, range(5), {"gaussian": {}}, "cpu", "float64", ("descan",))
    h = 1e-4
    numerical = (8 * (loss(h) - loss(-h)) - (loss(2 * h) - loss(-2 * h))) / (12 * h)
    assert np.vdot(gradients.descan, direction) == pytest.approx(numerical, rel=1e-6)


def test_the_crop_of_a_larger_window_is_its_middle():
    problem, state = random_scene(window=(13, 10), probe_modes=1, object_modes=1, **SCENE)
    whole = ptycupy.forward(problem, state, [1], "cpu", "float64")
    cropped, _ = random_scene(window=(13, 10), detector=(9, 8), probe_modes=1, object_modes=1, **SCENE)
    part = ptycupy.forward(cropped, state, [1], "cpu", "float64")
    np.testing.assert_allclose(part[0], whole[0, 2:11, 1:9], rtol=1e-12)


def test_a_reconstruction_finds_the_object():
    """Structured illumination (a diffuser) and defocused images, as at a synchrotron: the phase comes back."""
    generator = np.random.default_rng(0)
    window, canvas = (32, 32), (56, 56)
    y, x = (np.arange(n) - n / 2 for n in canvas)
    phase = -0.4 * (np.hypot(y[:, None] - 3, x[None, :] + 2) < 11) + 0.2 * np.sin(x / 2)[None, :]
    smooth = np.fft.fft2(generator.standard_normal((2, *window)))
    k = np.hypot(*np.meshgrid(np.fft.fftfreq(32), np.fft.fftfreq(32)))
    real, imaginary = np.fft.ifft2(smooth * (k < 0.15)).real
    probe = (1 + 2 * (real + 1j * imaginary))[None]
    corners = np.stack(np.meshgrid(np.arange(0, 25, 3), np.arange(0, 25, 3)), -1).reshape(-1, 2)
    corners = corners.astype(np.int32)
    truth = ptycupy.State(
        np.ones((1, 1, *canvas)), phase[None, None], probe, np.zeros((len(corners), 2)), np.zeros((1, 2)), 1.0
    )
    problem = ptycupy.Problem(
        np.zeros((len(corners), *window), np.float32), corners, 500.0, 1.0, near_field_distance=4e6
    )
    patterns = ptycupy.forward(problem, truth, np.arange(len(corners)), "cpu")
    problem = ptycupy.Problem(patterns, corners, 500.0, 1.0, near_field_distance=4e6)
    start = truth.replace(object_phase=np.zeros_like(truth.object_phase))
    settings = ptycupy.Settings({"gaussian": {}}, learning_rates={"object_phase": 2e-2}, batch_size=9)
    engine = ptycupy.Engine(problem, start, settings, "cpu")
    engine.run(60)
    middle = np.s_[14:42, 14:42]
    found, expected = engine.state.object_phase[0, 0][middle], phase[middle]
    assert engine.history.total[-1] < 0.1 * engine.history.total[0]
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.99


def test_too_long_a_distance_is_refused():
    with pytest.raises(ConfigError, match=r"at most 0.3 mm"):
        near_field_transfer((12, 12), 500.0, 1.0, 1e7)
    problem, state = random_scene(**{**SCENE, "pixel_size": None, "wavelength": None})
    with pytest.raises(ConfigError, match="needs pixel_size and wavelength"):
        ptycupy.forward(problem, state, [0], "cpu")
