"""Row matrices against dense references written another way."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from ptycupy.errors import ConfigError
from ptycupy.experiment.rows import area_matrix, blur_matrix, detector_matrix, from_entries


def apply(matrix, values):
    return (matrix.weights * values[matrix.indices]).sum(1)


def random_matrix(rng, k, n, entries=12):
    return from_entries(rng.integers(0, k, entries), rng.integers(0, n, entries), rng.normal(size=entries), (k, n))


def test_entries_at_the_same_place_add_up_and_empty_rows_stay_zero():
    matrix = from_entries(np.array([0, 0, 2, 2]), np.array([1, 1, 0, 3]), np.array([1.0, 2.0, 4.0, 0.0]), (3, 4))
    expected = np.zeros((3, 4))
    expected[0, 1], expected[2, 0] = 3, 4
    np.testing.assert_array_equal(matrix.toarray(), expected)
    assert matrix.indices.dtype == np.int32
    assert matrix.indices.shape == (3, 1)


def test_unused_taps_do_not_spread_a_value_that_is_not_finite():
    matrix = from_entries(np.array([0, 1, 1]), np.array([2, 1, 2]), np.ones(3), (2, 3))
    np.testing.assert_array_equal(apply(matrix, np.array([np.nan, 1.0, 2.0])), [2.0, 3.0])


def test_transpose_and_product_equal_the_dense_ones():
    rng = np.random.default_rng(1)
    a, b = random_matrix(rng, 4, 5), random_matrix(rng, 5, 7)
    np.testing.assert_array_equal(a.transpose().toarray(), a.toarray().T)
    np.testing.assert_allclose((a @ b).toarray(), a.toarray() @ b.toarray(), atol=1e-15)
    with pytest.raises(ValueError, match=r"\(5, 7\) and \(4, 5\)"):
        b @ a


@pytest.mark.parametrize("n", [1, 2, 3, 4, 7, 16])
def test_reflected_blur_is_scipys_mirror_mode(n):
    values = np.random.default_rng(2).normal(size=n)
    expected = gaussian_filter1d(values, 0.8, mode="mirror", radius=2)
    np.testing.assert_allclose(apply(blur_matrix(n, 0.8, 5), values), expected, atol=1e-14)


@pytest.mark.parametrize("n", [1, 2, 5, 9])
def test_replicated_blur_is_scipys_nearest_mode(n):
    values = np.random.default_rng(3).normal(size=n)
    expected = gaussian_filter1d(values, 1.0, mode="nearest", radius=2)
    np.testing.assert_allclose(apply(blur_matrix(n, 1.0, 5, "replicate"), values), expected, atol=1e-14)


def test_blur_weights_for_std_1_are_those_of_the_reference_system():
    middle = blur_matrix(9, 1.0, 5, "replicate").toarray()[4, 2:7]
    np.testing.assert_allclose(middle, [0.054, 0.244, 0.403, 0.244, 0.054], atol=6e-4)


def test_a_blur_of_zero_width_is_the_identity():
    np.testing.assert_array_equal(blur_matrix(6, 0.0, 5).toarray(), np.eye(6))


def test_an_even_kernel_reaches_further_towards_the_end():
    middle = blur_matrix(9, 1.0, 4).toarray()[4]
    assert np.flatnonzero(middle).tolist() == [3, 4, 5, 6]


@pytest.mark.parametrize(("n", "scale"), [(6, 0.5), (7, 0.5), (5, 0.7), (4, 1.0), (3, 2.0), (10, 0.31)])
def test_area_matrix_means_the_inputs_that_each_output_touches(n, scale):
    size = int(np.floor(n * scale))
    values = np.random.default_rng(4).normal(size=n)
    expected = [values[int(np.floor(i * n / size)) : int(np.ceil((i + 1) * n / size))].mean() for i in range(size)]
    np.testing.assert_allclose(apply(area_matrix(n, scale), values), expected, atol=1e-15)


def test_an_area_scale_that_leaves_nothing_is_refused():
    with pytest.raises(ConfigError, match=r"leaves nothing of 4 px"):
        area_matrix(4, 0.1)


def test_an_equal_window_without_blur_needs_no_matrix():
    assert detector_matrix(16, 16, "crop", 0.0) is None
    assert detector_matrix(16, 16, "resample", 0.0) is None


@pytest.mark.parametrize(("window", "detector"), [(16, 8), (9, 4), (9, 5), (8, 3), (13, 13), (17, 1)])
def test_crop_keeps_the_beam_at_zero_frequency(window, detector):
    centred = np.random.default_rng(5).normal(size=window)
    matrix = detector_matrix(window, detector, "crop", 0.0)
    out = np.fft.ifftshift(centred)
    out = out if matrix is None else apply(matrix, out)
    start = window // 2 - detector // 2
    np.testing.assert_array_equal(np.fft.fftshift(out), centred[start : start + detector])


@pytest.mark.parametrize(("window", "detector"), [(16, 8), (16, 12), (9, 5), (6, 9), (7, 1)])
def test_resampling_interpolates_between_pixel_centres(window, detector):
    centred = np.random.default_rng(6).normal(size=window)
    out = np.fft.fftshift(apply(detector_matrix(window, detector, "resample", 0.0), np.fft.ifftshift(centred)))
    places = (np.arange(detector) + 0.5) * window / detector - 0.5
    np.testing.assert_allclose(out, np.interp(places, np.arange(window), centred) * window / detector, atol=1e-13)


def test_resampling_to_half_conserves_the_sum():
    values = np.random.default_rng(7).uniform(size=32)
    assert apply(detector_matrix(32, 16, "resample", 0.0), values).sum() == pytest.approx(values.sum(), rel=1e-13)


def test_detector_blur_comes_after_the_crop_at_the_detectors_sampling():
    centred = np.random.default_rng(8).uniform(size=20)
    out = np.fft.fftshift(apply(detector_matrix(20, 12, "crop", 1.2), np.fft.ifftshift(centred)))
    radius = round(3 * 1.2)
    np.testing.assert_allclose(out, gaussian_filter1d(centred[4:16], 1.2, mode="mirror", radius=radius), atol=1e-13)


def test_a_narrow_detector_blur_still_has_five_taps():
    assert detector_matrix(16, 16, "crop", 0.3).indices.shape[1] == 5


def test_a_window_smaller_than_a_cropped_detector_is_refused():
    with pytest.raises(ConfigError, match=r"8 px cannot be cropped to a detector of 16 px"):
        detector_matrix(8, 16, "crop", 0.0)


def test_the_detector_matrix_has_an_adjoint():
    rng = np.random.default_rng(9)
    matrix = detector_matrix(15, 8, "resample", 0.7)
    x, y = rng.normal(size=15), rng.normal(size=8)
    assert apply(matrix, x) @ y == pytest.approx(x @ apply(matrix.transpose(), y), rel=1e-13)
