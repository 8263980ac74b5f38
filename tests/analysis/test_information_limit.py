"""The information limit, on images whose finest spot is known."""

from contextlib import suppress

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from ptycupy.analysis import information_limit
from ptycupy.errors import DataError


def crystal(shape, periods_px, noise, seed=0):
    """Waves along x, each of amplitude 1, in white noise."""
    columns = np.arange(shape[1])
    waves = sum(np.cos(2 * np.pi * columns / period) for period in periods_px)
    return waves + noise * np.random.default_rng(seed).standard_normal(shape)


@pytest.mark.parametrize("finest_px", [3.0, 5.0, 8.0])
def test_finest_period_is_found(finest_px):
    image = crystal((96, 120), [16.0, 11.0, finest_px], noise=1.0)
    assert information_limit(image, 0.2) == pytest.approx(0.2 * finest_px, rel=0.04)


def test_spot_under_the_noise_does_not_count():
    image = crystal((96, 96), [12.0], noise=1.0) + 0.02 * crystal((96, 96), [4.0], noise=0)
    assert information_limit(image, 0.1) == pytest.approx(1.2, rel=0.04)


@pytest.mark.parametrize("blur_px", [0.0, 0.7, 1.5])
def test_noise_alone_has_none_whatever_its_spectrum(blur_px):
    noise = [np.random.default_rng(seed).standard_normal((80, 80)) for seed in range(10)]
    assert [information_limit(gaussian_filter(image, blur_px), 0.1) for image in noise] == [None] * 10


def test_pixels_need_not_be_square():
    rows = np.arange(100)[:, None]
    image = np.cos(2 * np.pi * rows / 5) + 0.5 * np.random.default_rng(0).standard_normal((100, 100))
    assert information_limit(image, (0.2, 0.1)) == pytest.approx(1.0, rel=0.05)


def hexagonal(cells, *, noise, seed=0, finest=5):
    """A field of so many cells of 20 px with all Fourier components up to `finest` times the lattice's, fainter the
    finer they are, in white noise; and the period of the finest."""
    side = round(20 * cells)
    y, x = np.mgrid[:side, :side]
    turn = np.array([[np.cos(0.2), np.sin(0.2)], [-np.sin(0.2), np.cos(0.2)]])
    base = np.array([[1, 0], [0.5, 0.75**0.5]]) @ turn / (20 * 0.75**0.5)
    waves = [np.array(h) @ base for h in np.ndindex(13, 13)] + [np.array((h, -k)) @ base for h, k in np.ndindex(13, 13)]
    inside = [q for q in waves if 0 < np.hypot(*q) <= finest * np.hypot(*base[0]) * (1 + 1e-9)]
    image = sum(np.exp(-60 * (q @ q)) * np.cos(2 * np.pi * (q[0] * y + q[1] * x)) for q in inside)
    return image + noise * np.random.default_rng(seed).standard_normal(image.shape), 1 / max(
        np.hypot(*q) for q in inside
    )


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("cells", [5, 8, 12])
def test_a_lattice_of_many_cells_is_judged(cells, seed):
    image, finest = hexagonal(cells, noise=0.05, seed=seed)
    assert information_limit(image, 1.0) == pytest.approx(finest, rel=0.04)


@pytest.mark.parametrize("noise", [0.05, 0.02])
@pytest.mark.parametrize("cells", [3, 3.6])
def test_a_small_field_is_judged_right_or_refused(cells, noise):
    for seed in range(6):
        image, finest = hexagonal(cells, noise=noise, seed=seed)
        with suppress(DataError):
            assert information_limit(image, 1.0) == pytest.approx(finest, rel=0.1)


def test_a_field_whose_spots_run_into_each_other_is_refused():
    image, _ = hexagonal(3, noise=0.02)
    with pytest.raises(DataError, match=r"60 x 60 px holds too few unit cells: its Fourier spots run into each other"):
        information_limit(image, 1.0)


@pytest.mark.parametrize("image", [np.zeros((8, 40)), np.full((32, 32), np.nan)])
def test_images_that_cannot_be_judged_are_refused(image):
    with pytest.raises(DataError, match="information limit"):
        information_limit(image, 0.1)
