"""SSIM, registration and the comparison with a truth, against scikit-image."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, map_coordinates, shift, zoom
from skimage.metrics import structural_similarity as reference_ssim
from skimage.registration import phase_cross_correlation

from ptycupy.analysis import (
    compare_with_truth,
    fourier_shift,
    registration_shift,
    scan_centre,
    structural_similarity,
)
from ptycupy.errors import DataError


def smooth(shape, sigma=2.0, seed=0):
    return gaussian_filter(np.random.default_rng(seed).standard_normal(shape), sigma, mode="wrap") * sigma


@pytest.mark.parametrize("shape", [(7, 7), (20, 33), (64, 64)])
def test_ssim_is_that_of_scikit_image(shape):
    first = smooth(shape)
    second = first + 0.3 * smooth(shape, 1.0, seed=1)
    expected = reference_ssim(first, second, data_range=2.5)
    assert structural_similarity(first, second, 2.5) == pytest.approx(expected, abs=1e-10)
    assert expected < 0.99
    assert structural_similarity(first, first, 2.5) == pytest.approx(1)


def test_ssim_refuses_what_its_window_does_not_fit_in():
    with pytest.raises(ValueError, match=r"\(6, 9\)"):
        structural_similarity(np.zeros((6, 9)), np.zeros((6, 9)), 1.0)


@pytest.mark.parametrize("moved", [(0.0, 0.0), (3.2, -5.7), (-14.3, 0.9), (20.0, -16.0)])
@pytest.mark.parametrize("shape", [(48, 64), (41, 35)])
def test_registration_finds_a_known_shift_as_scikit_image_does(moved, shape):
    reference = smooth(shape)
    image = fourier_shift(reference, moved) + 0.01 * smooth(shape, 1.0, seed=3)
    found = registration_shift(reference, image, upsample=10)
    wrapped = [(a + b + n / 2) % n - n / 2 for a, b, n in zip(found, moved, shape, strict=True)]
    np.testing.assert_allclose(wrapped, 0, atol=0.051)
    expected, _, _ = phase_cross_correlation(reference, image, upsample_factor=10, normalization=None)
    difference = [(a - b + n / 2) % n - n / 2 for a, b, n in zip(found, expected, shape, strict=True)]
    np.testing.assert_allclose(difference, 0, atol=1e-9)


def test_registration_in_whole_and_in_hundredths_of_pixels():
    reference = smooth((40, 40))
    image = fourier_shift(reference, (2.34, -1.27))
    assert registration_shift(reference, image, upsample=1) == (-2, 1)
    np.testing.assert_allclose(registration_shift(reference, image, upsample=100), (-2.34, 1.27), atol=1e-9)
    with pytest.raises(ValueError, match="shapes"):
        registration_shift(reference, reference[1:])


def test_fourier_shift_moves_down_and_right():
    image = np.zeros((8, 9))
    image[2, 3] = 1
    np.testing.assert_allclose(fourier_shift(image, (1, 2)), np.roll(image, (1, 2), (0, 1)), atol=1e-12)


def truth_and_image(size=64, step=0.15, truth_step=0.1, centre=(11.0, 12.0), moved=(0.8, -1.3), noise=0.05):
    """A random truth and what a reconstruction of the part around `centre` would show, `moved` px off."""
    truth = np.maximum(smooth((240, 260), 3.0), 0)
    blurred = gaussian_filter(truth, 0.11 / truth_step)
    grid = (np.arange(size) - (size - 1) / 2) * step
    rows, columns = (grid + middle - shift_ * step for middle, shift_ in zip(centre, moved, strict=True))
    wanted = np.array(np.meshgrid(rows / truth_step, columns / truth_step, indexing="ij"))
    image = 0.8 * map_coordinates(blurred, wanted, order=1) + 0.4
    return truth, image + noise * np.random.default_rng(1).standard_normal(image.shape)


def score_with_scikit_image(image, step, truth, truth_step, centre):
    """The published procedure, written with scikit-image."""
    n, pad, rim = image.shape[0], 16, 6
    middle = np.asarray(centre) / truth_step
    half = round((n * step / 2 + pad * step) / truth_step)
    part = truth[int(middle[0]) - half : int(middle[0]) + half, int(middle[1]) - half : int(middle[1]) + half]
    part = gaussian_filter(part, 0.11 / truth_step)
    part = zoom(part, (n + 2 * pad) / part.shape[0], order=1)
    padded = np.pad(image - np.median(image), pad)
    moved, _, _ = phase_cross_correlation(part - part.mean(), padded, upsample_factor=10, normalization=None)
    registered = shift(part, -np.asarray(moved), order=1, mode="nearest")[pad:-pad, pad:-pad]
    a, b = image[rim:-rim, rim:-rim], registered[rim:-rim, rim:-rim]
    a, b = a - a.min(), b - b.min()
    ssim = reference_ssim(b, a, data_range=b.max() - b.min())
    return ssim, np.corrcoef(a.ravel(), b.ravel())[0, 1], (a * b).sum() / (b * b).sum(), moved


@pytest.mark.parametrize("noise", [0.02, 0.3])
def test_comparison_gives_the_numbers_of_the_published_procedure(noise):
    truth, image = truth_and_image(noise=noise)
    found = compare_with_truth(image, 0.15, truth, 0.1, (11.0, 12.0))
    ssim, correlation, scale, moved = score_with_scikit_image(image, 0.15, truth, 0.1, (11.0, 12.0))
    assert found.ssim == pytest.approx(ssim, abs=1e-6)
    assert found.correlation == pytest.approx(correlation, abs=1e-6)
    assert found.scale == pytest.approx(scale, abs=1e-6)
    np.testing.assert_allclose(found.shift_px, moved, atol=1e-9)
    assert (found.correlation > 0.97) == (noise < 0.1)


def test_comparison_of_another_part_is_worse():
    truth, image = truth_and_image()
    right = compare_with_truth(image, 0.15, truth, 0.1, (11.0, 12.0))
    wrong = compare_with_truth(image.T, 0.15, truth, 0.1, (11.0, 12.0))
    assert wrong.correlation < 0.5 < right.correlation
    assert wrong.ssim < right.ssim


def test_comparison_of_a_rectangular_image_with_rectangular_pixels():
    truth, image = truth_and_image(size=60)
    part = image[:48, ::2]  # px of 0.15 x 0.3 angstrom
    centre = (11.0 - 6 * 0.15, 12.0 - 0.075)
    found = compare_with_truth(part, (0.15, 0.30), truth, 0.1, centre)
    assert found.image.shape == found.truth.shape == (36, 18)
    assert found.correlation > 0.9


def test_removing_a_ramp_restores_the_agreement():
    truth, image = truth_and_image(noise=0.02)
    ramp = 0.05 * np.arange(64)[:, None] - 0.03 * np.arange(64)
    plain = compare_with_truth(image, 0.15, truth, 0.1, (11.0, 12.0))
    tilted = compare_with_truth(image + ramp, 0.15, truth, 0.1, (11.0, 12.0))
    mended = compare_with_truth(image + ramp, 0.15, truth, 0.1, (11.0, 12.0), remove_ramp=True)
    assert tilted.correlation < 0.6
    assert mended.correlation == pytest.approx(plain.correlation, abs=0.01)
    assert mended.ssim == pytest.approx(plain.ssim, abs=0.05)


def test_truth_that_does_not_reach_around_the_image_is_named():
    truth, image = truth_and_image()
    with pytest.raises(DataError, match=r"240 px along y, but .* its px -\d+ to \d+: check the truth's pixel size"):
        compare_with_truth(image, 0.15, truth, 0.1, (3.0, 12.0))
    with pytest.raises(DataError, match="too small"):
        compare_with_truth(image[:10], 0.15, truth, 0.1, (11.0, 12.0))


def test_scan_centre_is_the_middle_of_the_raster():
    assert scan_centre(10.0, 0.4, (21, 21)) == pytest.approx((14, 14))
    assert scan_centre((1, 2), (0.5, 1.0), (3, 5)) == pytest.approx((1.5, 4))
