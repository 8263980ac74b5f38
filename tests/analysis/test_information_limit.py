"""The information limit of images whose limit is known."""

import numpy as np
import pytest

from ptycupy.analysis import information_limit
from ptycupy.errors import DataError

N, PIXEL = 120, 0.1


def lattice(periods, noise, seed=0):
    y, x = np.mgrid[:N, :N] * PIXEL
    image = sum(np.cos(2 * np.pi * (y if i % 2 else x) / period) for i, period in enumerate(periods))
    return image + noise * np.random.default_rng(seed).standard_normal((N, N))


@pytest.mark.parametrize("noise", [0.05, 0.3, 1.0])
def test_the_finest_lattice_plane_is_found(noise):
    found = information_limit(lattice([1.9, 0.8, 0.41], noise), PIXEL)
    assert found == pytest.approx(0.41, rel=0.04)  # a Fourier pixel, and the width of a spot


def test_a_spot_below_the_noise_is_not():
    image = lattice([1.9, 0.8], 1.0) + 0.01 * lattice([0.41], 0)
    assert information_limit(image, PIXEL) == pytest.approx(0.8, rel=0.06)


def test_noise_has_none():
    found = [information_limit(lattice([], 1.0, seed), PIXEL) for seed in range(40)]
    assert found.count(None) >= 38


def test_rectangular_pixels():
    y, x = np.mgrid[:96, :128]
    image = np.cos(2 * np.pi * y * 0.2 / 0.9) + np.cos(2 * np.pi * x * 0.1 / 2.1)
    image += 0.1 * np.random.default_rng(1).standard_normal(image.shape)
    assert information_limit(image, (0.2, 0.1)) == pytest.approx(0.9, rel=0.05)


def test_wrong_images_are_refused():
    with pytest.raises(DataError, match="at least 16 px"):
        information_limit(np.zeros((8, 40)), PIXEL)
    with pytest.raises(DataError, match="NaN"):
        information_limit(np.full((40, 40), np.nan), PIXEL)
