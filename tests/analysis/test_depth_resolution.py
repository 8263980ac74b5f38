"""Depth resolution by single atoms: widths that are known come out, and what is no single atom stays out."""

import numpy as np
import pytest

from ptycupy.analysis.depth_resolution import depth_resolution
from ptycupy.errors import DataError

PIXEL, THICKNESS, SLICES = 0.15, 1.0, 20
PERIOD = 2.4  # angstrom between columns


def specimen(columns, shape=(100, 100), noise=0.002):
    """Phase [z, y, x]: a square lattice whose n-th column is a list of (depth, FWHM) in angstrom."""
    y, x = (np.arange(n) * PIXEL for n in shape)
    z = np.arange(SLICES) * THICKNESS
    phase = noise * np.random.default_rng(0).standard_normal((SLICES, *shape))
    places = [(a, b) for a in np.arange(1.5, shape[0] * PIXEL - 1, PERIOD) for b in np.arange(1.5, 13.6, PERIOD)]
    for number, (a, b) in enumerate(places):
        spot = np.exp(-((y - a)[:, None] ** 2 + (x - b) ** 2) / (2 * 0.25**2))
        for depth, fwhm in columns(number):
            phase += 0.2 * np.exp(-4 * np.log(2) * ((z - depth) / fwhm) ** 2)[:, None, None] * spot
    return phase


@pytest.mark.parametrize("fwhm", [2.5, 4.0, 6.0])
def test_single_atoms_have_the_width_that_they_were_given(fwhm):
    found = depth_resolution(specimen(lambda n: [(8 + n % 5, fwhm)]), (PIXEL, PIXEL), THICKNESS)
    assert found.mean == pytest.approx(fwhm, rel=0.03)
    assert found.deviation < 0.1 * fwhm
    assert len(found.fwhm) == found.columns == 36
    np.testing.assert_allclose(np.sort(found.depth), np.sort([8.0 + n % 5 for n in range(36)]), atol=0.2)


def test_mean_and_deviation_are_of_the_atoms():
    found = depth_resolution(specimen(lambda n: [(10, 3.0 + n % 3)]), (PIXEL, PIXEL), THICKNESS)
    assert found.mean == pytest.approx(4.0, abs=0.1)
    assert found.deviation == pytest.approx(np.std([3, 4, 5] * 12, ddof=1), abs=0.1)


def test_columns_of_two_atoms_and_atoms_beyond_the_slices_are_left_out():
    def mixed(number):
        return {3: [(5, 3.0), (14, 3.0)], 7: [(-3, 6.0)], 11: [(10, 40.0)]}.get(number, [(10, 3.0)])

    found = depth_resolution(specimen(mixed), (PIXEL, PIXEL), THICKNESS)
    assert (found.columns, len(found.fwhm)) == (36, 33)
    assert found.mean == pytest.approx(3.0, rel=0.03)


def test_too_little_to_tell_is_said():
    few = specimen(lambda n: [(10, 3.0)], shape=(60, 100))
    with pytest.raises(DataError, match="18 of 18 columns .* at least 30"):
        depth_resolution(few, (PIXEL, PIXEL), THICKNESS)
    assert len(depth_resolution(few, (PIXEL, PIXEL), THICKNESS, least_atoms=10).fwhm) == 18
    with pytest.raises(DataError, match="6 slices: 8"):
        depth_resolution(few[:6], (PIXEL, PIXEL), THICKNESS)
    with pytest.raises(DataError, match="0 of"):
        depth_resolution(np.zeros((20, 50, 50)), (PIXEL, PIXEL), THICKNESS)
