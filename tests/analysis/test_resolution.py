"""Fourier ring correlation and contrast, on images whose answer is known."""

import numpy as np
import pytest
from scipy import fft
from scipy.ndimage import gaussian_filter

from ptycupy.analysis import contrast_objective, fourier_ring_correlation, fourier_shift
from ptycupy.errors import DataError


def band_limited(shape, limit, seed):
    """White noise up to `limit` of Nyquist, nothing beyond."""
    spectrum = fft.fft2(np.random.default_rng(seed).standard_normal(shape))
    radius = np.hypot(fft.fftfreq(shape[0])[:, None], fft.fftfreq(shape[1])) / 0.5
    return fft.ifft2(spectrum * (radius < limit)).real


def halves(shape=(96, 96), limit=0.5, noise=0.02):
    signal = band_limited(shape, limit, 0)
    return tuple(signal + noise * np.random.default_rng(seed).standard_normal(shape) for seed in (1, 2))


@pytest.mark.parametrize("limit", [0.3, 0.6])
@pytest.mark.parametrize("shape", [(96, 96), (75, 120)])
def test_curve_falls_where_the_common_signal_ends(shape, limit):
    curve = fourier_ring_correlation(*halves(shape, limit))
    assert (curve.correlation[curve.frequency < limit - 0.05] > 0.95).all()
    assert (np.abs(curve.correlation[curve.frequency > limit + 0.08]) < 0.4).all()
    assert curve.crossing(0.5) == pytest.approx(limit, abs=0.05)
    assert curve.crossing("half_bit") == pytest.approx(limit, abs=0.05)
    assert curve.crossing("one_sigma") >= curve.crossing("half_bit")


def test_known_signal_to_noise_gives_its_correlation():
    """White signal and white noise: FRC = S / (S + N) in every ring."""
    one, other = halves((256, 256), 2.0, noise=np.sqrt(0.5))
    curve = fourier_ring_correlation(one, other)
    weights = curve.count / curve.count.sum()
    assert (curve.correlation * weights).sum() == pytest.approx(1 / 1.5, abs=0.02)


def test_identical_images_never_cross_and_independent_ones_do_at_once():
    one, other = (np.random.default_rng(seed).standard_normal((64, 64)) for seed in (1, 2))
    same = fourier_ring_correlation(one, one + 5.0)
    np.testing.assert_allclose(same.correlation, 1)
    assert same.crossing(0.5) == 1
    assert fourier_ring_correlation(one, other).crossing(0.5) < 0.1
    np.testing.assert_allclose(fourier_ring_correlation(one, -one).correlation, -1)


def test_frequencies_are_fractions_of_nyquist_and_inverse_angstrom():
    one, other = halves()
    curve = fourier_ring_correlation(one, other, pixel_size=0.2)
    assert curve.frequency[-1] == 1
    assert len(curve.frequency) == 48
    np.testing.assert_allclose(curve.frequency_inverse_angstrom, curve.frequency * 2.5)
    assert curve.resolution_angstrom(0.5) == pytest.approx(1 / (2.5 * curve.crossing(0.5)))
    plain = fourier_ring_correlation(one, other)
    assert plain.frequency_inverse_angstrom is None
    assert plain.resolution_angstrom() is None


def test_unequal_pixels_are_compared_at_equal_frequencies():
    """Signal up to 1 1/angstrom in both axes, px of 0.2 and 0.4 angstrom: 0.8 of the coarser axis' Nyquist."""
    signal = band_limited((128, 128), 0.4, 0)[:, ::2]
    noise = [0.02 * np.random.default_rng(seed).standard_normal(signal.shape) for seed in (1, 2)]
    curve = fourier_ring_correlation(signal + noise[0], signal + noise[1], pixel_size=(0.2, 0.4))
    assert curve.nyquist_inverse_angstrom == pytest.approx(1.25)
    assert curve.crossing(0.5) == pytest.approx(0.8, abs=0.06)


def test_registration_recovers_a_shifted_half():
    one, other = halves(limit=0.6)
    shifted = fourier_shift(other, (1.37, -2.21))
    assert fourier_ring_correlation(one, shifted).crossing(0.5) < 0.3
    curve = fourier_ring_correlation(one, shifted, register=True)
    np.testing.assert_allclose(curve.shift_px, (-1.37, 2.21), atol=0.02)
    assert curve.crossing(0.5) == pytest.approx(0.6, abs=0.05)


def test_thresholds():
    curve = fourier_ring_correlation(*halves())
    half_bit = curve.threshold("half_bit")
    assert half_bit[0] > half_bit[-1] > 0.1716  # what it tends to for many pixels
    np.testing.assert_allclose(curve.threshold("one_sigma")[-1], np.sqrt(2 / curve.count[-1]))
    np.testing.assert_array_equal(curve.threshold(0.143), np.full(48, 0.143))
    with pytest.raises(ValueError, match="'half_bit' or 'one_sigma'"):
        curve.threshold("3sigma")


def test_images_without_an_answer_are_refused():
    image = np.random.default_rng(0).standard_normal((32, 32))
    with pytest.raises(DataError, match="at least 16 px"):
        fourier_ring_correlation(image, image[1:])
    with pytest.raises(DataError, match="at least 16 px"):
        fourier_ring_correlation(image[:8], image[:8])
    with pytest.raises(DataError, match="NaN"):
        fourier_ring_correlation(image, image * np.nan)
    assert fourier_ring_correlation(image * 0, image).crossing() < 0.1


def test_contrast_is_minus_sigma_over_mu_of_the_normalised_projection():
    phase = np.random.default_rng(0).uniform(0, 1, (1, 3, 20, 30))
    image = phase[0].sum(axis=0)[2:15, 3:20]
    image = (image - image.min()) / np.ptp(image)
    region = (slice(2, 15), slice(3, 20))
    assert contrast_objective(phase, region=region) == pytest.approx(-image.std() / image.mean())
    assert contrast_objective(phase + 7, region=region) == pytest.approx(-image.std() / image.mean())


def test_contrast_of_object_modes_is_that_of_their_weighted_mean():
    phase = np.random.default_rng(0).uniform(0, 1, (2, 3, 16, 16))
    mean = 0.25 * phase[:1] + 0.75 * phase[1:]
    assert contrast_objective(phase, (1, 3)) == pytest.approx(contrast_objective(mean))
    assert contrast_objective(phase, (1, 3)) != pytest.approx(contrast_objective(phase))


def test_contrast_prefers_the_sharper_image_and_a_flat_one_has_none():
    dots = np.zeros((1, 1, 33, 33))
    dots[..., 4::8, 4::8] = 1
    sharp, soft = (gaussian_filter(dots, (0, 0, sigma, sigma)) for sigma in (0.8, 2.0))
    assert contrast_objective(sharp) < contrast_objective(soft) < 0
    assert contrast_objective(np.ones((1, 2, 8, 8))) == 0
