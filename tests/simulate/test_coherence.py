"""Partial coherence: focal spread, source size, and their mixed probe modes."""

from __future__ import annotations

import numpy as np
import pytest

from ptycupy.experiment.optics import electron_wavelength
from ptycupy.experiment.probe import aperture_probe
from ptycupy.simulate.coherence import defoci, focal_spread, mixed_probe, moved, source_points

PIXEL, SHAPE, WAVELENGTH = (0.2, 0.25), (48, 40), electron_wavelength(80.0)
WAVE = aperture_probe(WAVELENGTH, 25.0, SHAPE, PIXEL, {"C10": -40.0, "C12": 15.0})


def test_focal_spread_of_a_known_microscope() -> None:
    """Cc 1 mm, 0.35 eV at 80 kV: 1e7 * 0.35 / 80000 = 43.75 angstrom, relativistic factor 1.0726, over 2.3548."""
    assert focal_spread(1e7, 0.35, 80.0) == pytest.approx(43.75 * 1.07260 / 2.35482, rel=1e-4)
    assert focal_spread(1e7, 0.0, 80.0) == 0.0


@pytest.mark.parametrize("count", [2, 5, 9])
def test_defoci_have_the_gaussians_moments(count: int) -> None:
    offsets, weights = defoci(30.0, count)
    assert len(offsets) == count
    assert weights.sum() == pytest.approx(1)
    assert weights @ offsets == pytest.approx(0, abs=1e-9)
    assert weights @ offsets**2 == pytest.approx(900)
    assert defoci(30.0, 1)[0].tolist() == [0.0]
    assert len(defoci(0.0, 7)[0]) == 1


def test_source_points_have_the_gaussians_moments_up_to_fifth_order() -> None:
    points, weights = source_points(0.34)
    variance = (0.34 / (2 * np.sqrt(2 * np.log(2)))) ** 2
    y, x = points.T
    assert weights.sum() == pytest.approx(1)
    moments = {(2, 0): variance, (0, 2): variance, (4, 0): 3 * variance**2, (2, 2): variance**2}
    for i in range(6):
        for j in range(6 - i):
            assert weights @ (y**i * x**j) == pytest.approx(
                moments.get((i, j), moments.get((j, i), float(i + j == 0))), abs=1e-12
            )


def test_moving_the_probe_moves_its_intensity_and_focus() -> None:
    shifted = moved(WAVE, 0.0, np.array([3 * PIXEL[0], -2 * PIXEL[1]]), PIXEL, WAVELENGTH)
    np.testing.assert_allclose(shifted, np.roll(WAVE, (3, -2), (0, 1)), atol=1e-12)
    defocused = moved(WAVE, 60.0, np.zeros(2), PIXEL, WAVELENGTH)
    direct = aperture_probe(WAVELENGTH, 25.0, SHAPE, PIXEL, {"C10": -100.0, "C12": 15.0})
    np.testing.assert_allclose(defocused, direct, atol=1e-12)


def test_mixed_probe_is_the_incoherent_sum_behind_any_object() -> None:
    focus, source = defoci(35.0, 5), source_points(0.5)
    modes = mixed_probe(WAVE, focus, source, PIXEL, WAVELENGTH)
    assert np.sum(np.abs(modes) ** 2) == pytest.approx(1)
    assert len(modes) < 35
    overlaps = modes.reshape(len(modes), -1)
    gram = overlaps.conj() @ overlaps.T
    assert np.abs(gram - np.diag(np.diag(gram))).max() < 1e-10
    assert (np.diff(np.diag(gram).real) < 0).all()
    object_ = np.exp(1j * np.random.default_rng(0).normal(size=SHAPE))
    expected = sum(
        f * s * np.abs(np.fft.fft2(moved(WAVE, d, p, PIXEL, WAVELENGTH) * object_)) ** 2
        for d, f in zip(*focus, strict=True)
        for p, s in zip(*source, strict=True)
    )
    found = np.sum(np.abs(np.fft.fft2(modes * object_)) ** 2, axis=0)
    np.testing.assert_allclose(found, expected, atol=1e-4 * expected.max())


def test_source_points_are_a_gaussian_blur_over_the_scan() -> None:
    """Against the patterns of a fine scan, weighted with the Gaussian itself."""
    full_width, object_ = 0.4, np.exp(0.6j * np.random.default_rng(1).normal(size=SHAPE))
    deviation = full_width / 2.354820045
    steps = np.linspace(-4, 4, 33) * deviation
    weights = np.exp(-((steps / deviation) ** 2) / 2)
    expected = np.zeros(SHAPE)
    for dy, wy in zip(steps, weights, strict=True):
        for dx, wx in zip(steps, weights, strict=True):
            wave = moved(WAVE, 0.0, np.array([dy, dx]), PIXEL, WAVELENGTH)
            expected += wy * wx / weights.sum() ** 2 * np.abs(np.fft.fft2(wave * object_)) ** 2
    modes = mixed_probe(WAVE, defoci(0.0, 1), source_points(full_width), PIXEL, WAVELENGTH)
    found = np.sum(np.abs(np.fft.fft2(modes * object_)) ** 2, axis=0)
    sharp = np.abs(np.fft.fft2(WAVE * object_)) ** 2
    assert np.abs(found - expected).max() < 0.02 * np.abs(sharp - expected).max()


def test_a_coherent_probe_stays_as_it_is() -> None:
    modes = mixed_probe(WAVE, defoci(0.0, 1), source_points(0.0), PIXEL, WAVELENGTH)
    np.testing.assert_allclose(modes, WAVE[None])
