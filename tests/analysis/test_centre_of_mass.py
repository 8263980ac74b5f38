"""Orientation, rotation and phase from centres of mass, on fields whose phase is known."""

import math
from itertools import product
from pathlib import Path

import h5py
import numpy as np
import pytest

from ptycupy.analysis.centre_of_mass import (
    centres_of_mass,
    curl_share,
    filled,
    oriented,
    phase_from,
    rank_orientations,
    scan_rotation,
)
from ptycupy.experiment.scan import affine_matrix, raster

WSE2 = Path(__file__).parents[2] / "configs" / "data" / "abtem_wse2.h5"
ATOMS = np.random.default_rng(3).uniform(-8, 8, (12, 2))
WIDTH = 1.2


def deflections(positions):
    """Centres of mass at positions [n, 2]: the gradient over 2 pi of a phase with a Gaussian peak at every atom."""
    away = positions[:, None] - ATOMS
    weights = np.exp(-(away**2).sum(-1) / (2 * WIDTH**2))
    return -(away * weights[..., None]).sum(1) / WIDTH**2 / (2 * math.pi)


def test_centres_of_mass_are_about_the_middle_and_dark_ones_are_no_number():
    patterns = np.zeros((3, 6, 5), np.uint16)
    patterns[0, 3, 2] = 7
    patterns[1, 4, 0] = patterns[1, 4, 4] = 1
    found = centres_of_mass(patterns)
    np.testing.assert_array_equal(found[:2], [(0, 0), (1, 0)])
    assert np.isnan(found[2]).all()
    np.testing.assert_array_equal(filled(found[None])[0, 2], [0.5, 0])
    np.testing.assert_array_equal(filled(np.full((2, 2, 2), np.nan)), 0)


@pytest.mark.parametrize("angle", [-31.0, -4.0, 0.0, 12.5, 40.0])
@pytest.mark.parametrize("steps", [(0.5, 0.5), (0.4, 0.6)])
def test_the_scan_rotation_is_that_of_the_affine_matrix(angle, steps):
    """Rotated positions meet the phase there; the raster's own frame must turn back by scan.affine.rotation_degrees."""
    shape = (56, 48)
    field = deflections(raster(shape, steps) @ affine_matrix(1, 0, angle, 0)).reshape(*shape, 2)
    assert scan_rotation(field, steps) == pytest.approx(angle, abs=0.5)
    assert curl_share(field, steps) == pytest.approx(math.sin(math.radians(angle)) ** 2, abs=0.03)


def test_the_phase_comes_back():
    shape, steps = (40, 36), (0.25, 0.5)
    y, x = np.meshgrid(*(np.arange(n) * s for n, s in zip(shape, steps, strict=True)), indexing="ij")
    a, b = 2 * math.pi * 3 / 10, 2 * math.pi * 2 / 18
    phase = np.cos(a * y) + 0.5 * np.sin(a * y + b * x)
    gradient = np.stack([-a * np.sin(a * y) + 0.5 * a * np.cos(a * y + b * x), 0.5 * b * np.cos(a * y + b * x)], -1)
    np.testing.assert_allclose(phase_from(gradient / (2 * math.pi), steps), phase, atol=1e-12)


@pytest.fixture(scope="module")
def wse2():
    with h5py.File(WSE2) as file:
        return file["dp"][...]


@pytest.mark.parametrize("turn", list(product((False, True), repeat=3)))
def test_the_right_orientation_of_simulated_data_comes_first(wse2, turn):
    """Patterns that were stored turned are recognised by what must be done to them."""
    flip_y, flip_x, transpose = turn
    stored = wse2.swapaxes(1, 2) if transpose else wse2
    stored = stored[:, :: -1 if flip_y else 1, :: -1 if flip_x else 1]
    field = centres_of_mass(stored).reshape(24, 24, 2)
    ranked = rank_orientations(field)
    assert (ranked[0].flip_y, ranked[0].flip_x, ranked[0].transpose) == turn
    assert ranked[0].curl < 0.05
    assert ranked[0].skewness > 0 > ranked[1].skewness
    assert ranked[2].curl > 0.4
    assert abs(scan_rotation(oriented(field, *turn))) < 1


def test_noise_is_half_curl_and_a_constant_has_none():
    assert curl_share(np.random.default_rng(0).normal(size=(64, 64, 2))) == pytest.approx(0.5, abs=0.03)
    assert curl_share(np.ones((8, 8, 2))) == 0
    assert rank_orientations(np.ones((8, 8, 2)))[0].skewness == 0
