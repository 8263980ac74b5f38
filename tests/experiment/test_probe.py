"""Simulated and mixed probes, against reference values and against their definition."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest

from ptycupy.errors import ConfigError
from ptycupy.experiment import make_probe
from ptycupy.experiment.optics import electron_wavelength
from ptycupy.experiment.probe import mixed_modes

REFERENCE = Path(__file__).parents[1] / "data" / "reference_probes.npz"


def reference(case):
    with np.load(REFERENCE) as stored:
        settings = ast.literal_eval(str(stored[f"settings{case}"]))
        shape = (settings["npix"],) * 2
        arguments = (settings["kv"], settings["angle"], shape, settings["dx"], settings["aberrations"])
        return arguments, {name[:-1]: stored[name] for name in stored.files if name.endswith(case)}


@pytest.mark.parametrize("case", ["0", "1", "2"])
def test_probe_agrees_with_the_reference(case):
    arguments, expected = reference(case)
    probe = make_probe(*arguments)
    assert probe.dtype == np.complex64
    assert np.linalg.norm(probe - expected["probe"]) < 1e-4 * np.linalg.norm(expected["probe"])


@pytest.mark.parametrize("case", ["1", "2"])
def test_mixed_modes_agree_with_the_reference(case):
    arguments, expected = reference(case)
    probe = make_probe(*arguments, modes=6, mode_power=0.02)
    difference = np.linalg.norm(np.abs(probe) - expected["mixed"])
    assert difference < 1e-3 * np.linalg.norm(expected["mixed"])


@pytest.mark.parametrize(("shape", "pixel_size"), [((24, 40), (0.2, 0.12)), ((31, 17), 0.25), ((32, 32), 0.2)])
def test_probe_has_unit_intensity_in_a_hard_aperture_and_lies_in_the_middle(shape, pixel_size):
    probe = make_probe(80, 25, shape, pixel_size)
    assert probe.shape == shape
    assert np.sum(np.abs(probe) ** 2) == pytest.approx(1, abs=1e-5)
    assert np.unravel_index(np.argmax(np.abs(probe)), shape) == (shape[0] // 2, shape[1] // 2)
    sizes = pixel_size if isinstance(pixel_size, tuple) else (pixel_size, pixel_size)
    ky, kx = (np.fft.fftfreq(n, size) for n, size in zip(shape, sizes, strict=True))
    inside = np.hypot(ky[:, None], kx) * electron_wavelength(80) <= 25e-3
    spectrum = np.abs(np.fft.fft2(probe))
    np.testing.assert_allclose(spectrum, inside * spectrum.max(), atol=1e-5)


def test_modes_are_orthogonal_with_the_stated_powers():
    probe = make_probe(80, 25, (32, 24), 0.2, {"defocus": 100.0}, modes=5, mode_power=0.03)
    assert probe.shape == (5, 32, 24)
    gram = np.einsum("pyx,qyx->pq", probe.conj(), probe)
    np.testing.assert_allclose(gram, np.diag([0.88, 0.03, 0.03, 0.03, 0.03]), atol=1e-6)
    single = make_probe(80, 25, (32, 24), 0.2, {"defocus": 100.0})
    np.testing.assert_allclose(probe[0], single * np.sqrt(0.88), atol=1e-6)


def test_the_first_added_mode_is_odd_along_x_and_the_next_row_along_y():
    probe = make_probe(80, 25, (33, 33), 0.2, modes=4)
    np.testing.assert_allclose(probe[1], -probe[1][:, ::-1], atol=1e-5)
    np.testing.assert_allclose(probe[1], probe[1][::-1], atol=1e-5)
    np.testing.assert_allclose(probe[2], -probe[2][::-1], atol=1e-5)


def test_a_given_probe_keeps_its_modes_and_its_total():
    rng = np.random.default_rng(0)
    given = rng.normal(size=(2, 16, 12)) + 1j * rng.normal(size=(2, 16, 12))
    total = np.sum(np.abs(given) ** 2)
    probe = mixed_modes(given, 4, 0.05)
    assert np.sum(np.abs(probe) ** 2) == pytest.approx(total, rel=1e-12)
    np.testing.assert_allclose(probe[:2], given * np.sqrt(0.9), rtol=1e-12)
    np.testing.assert_allclose(np.sum(np.abs(probe[2:]) ** 2, axis=(1, 2)), 0.05 * total, rtol=1e-12)
    np.testing.assert_allclose(np.einsum("pyx,qyx->pq", given.conj(), probe[2:]), 0, atol=1e-10 * total)


def test_surplus_modes_of_a_given_probe_are_dropped_and_its_total_kept():
    given = np.random.default_rng(1).normal(size=(3, 8, 8)).astype(np.complex64)
    probe = mixed_modes(given, 1, 0.02)
    assert probe.shape == (1, 8, 8)
    assert np.sum(np.abs(probe) ** 2) == pytest.approx(np.sum(np.abs(given.astype(complex)) ** 2), rel=1e-12)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kv": -1}, "must be positive"),
        ({"convergence_angle": 0}, "convergence_angle_mrad"),
        ({"modes": 0}, "modes: 0"),
        ({"modes": 6, "mode_power": 0.2}, "below 0.2"),
        ({"shape": (2, 1), "modes": 9}, "no 9 independent modes"),
        ({"aberrations": {"defocsu": 1.0}}, "did you mean 'defocus'"),
    ],
)
def test_what_cannot_be_meant_is_refused(changes, message):
    arguments = {"kv": 80, "convergence_angle": 25, "shape": (16, 16), "pixel_size": 0.2, **changes}
    with pytest.raises(ConfigError, match=message):
        make_probe(**arguments)


def test_an_empty_probe_is_refused():
    with pytest.raises(ConfigError, match="total intensity is 0"):
        mixed_modes(np.zeros((8, 8)), 2, 0.02)
