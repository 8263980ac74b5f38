"""What must not change when an object or a probe gets another grid."""

import numpy as np
import pytest

from ptycupy.errors import ConfigError
from ptycupy.experiment import regrid

RNG = np.random.default_rng(0)
FIELDS = RNG.uniform(0.8, 1, (2, 5, 6, 7)).astype("f4"), RNG.uniform(-4, 9, (2, 5, 6, 7)).astype("f4")


@pytest.mark.parametrize("slices", [1, 2, 3, 5, 7, 10])
@pytest.mark.parametrize("thickness", [np.ones(5), np.array([1.0, 2, 0.5, 3, 1])])
def test_slices_keep_the_product_of_amplitudes_and_the_sum_of_phases(slices, thickness):
    amplitude, phase = regrid.resliced(FIELDS, slices, thickness)
    assert amplitude.shape == (2, slices, 6, 7)
    np.testing.assert_allclose(amplitude.prod(1), FIELDS[0].prod(1), rtol=1e-5)
    np.testing.assert_allclose(phase.sum(1), FIELDS[1].sum(1), rtol=1e-4, atol=1e-4)


def test_merging_pairs_adds_them_and_splitting_halves_them():
    amplitude, phase = (field[:, :4] for field in FIELDS)
    _, merged = regrid.resliced((amplitude, phase), 2, np.ones(4))
    np.testing.assert_allclose(merged, phase[:, ::2] + phase[:, 1::2], rtol=1e-4, atol=1e-5)
    _, split = regrid.resliced((amplitude, phase), 8, np.ones(4))
    np.testing.assert_allclose(split[:, ::2], phase / 2, rtol=1e-5)


def test_crop_and_pad():
    amplitude, phase = regrid.padded(regrid.cropped(FIELDS, (1, 4)), (1, 2), ("edge", "vacuum"))
    assert phase.shape[1] == 6
    np.testing.assert_array_equal(phase[:, 0], FIELDS[1][:, 1])
    np.testing.assert_array_equal(phase[:, 1:4], FIELDS[1][:, 1:4])
    assert not phase[:, 4:].any()
    assert (amplitude[:, 4:] == 1).all()
    _, mean = regrid.padded(FIELDS, (0, 1), ("vacuum", "mean"))
    np.testing.assert_allclose(mean[:, -1], FIELDS[1].mean(1), rtol=1e-5, atol=1e-6)
    with pytest.raises(ConfigError, match="leaves none of 5 slices"):
        regrid.cropped(FIELDS, (4, 4))


@pytest.mark.parametrize("new", [0.1, 0.2, 0.3, 0.4])
def test_pixels_of_another_size_sample_the_same_field(new):
    """A wave of 12 old pixels and 20 rad, far beyond pi, within 1 % of its amplitude away from the edges."""
    y, x = np.arange(60) * 0.2, np.arange(48) * 0.2
    field = (20 * np.sin(2 * np.pi * (y[:, None] + 0.5 * x) / 2.4))[None].astype("f4")
    found = regrid.lateral(field, (0.2, 0.2), (new, 0.2))
    rows = np.arange(found.shape[1]) * new
    expected = 20 * np.sin(2 * np.pi * (rows[:, None] + 0.5 * x) / 2.4)
    inner = (rows > 1.5) & (rows < 10)
    np.testing.assert_allclose(found[0][inner], expected[inner], atol=0.2 if new <= 0.2 else 0.6)
    assert regrid.lateral(field, (0.2, 0.2), (0.2, 0.2)) is not None
    np.testing.assert_array_equal(regrid.lateral(field, (0.2, 0.2), (0.2, 0.2)), field)


def test_a_probe_is_cropped_and_padded_in_either_space():
    waves = RNG.normal(size=(2, 12, 16)) + 1j * RNG.normal(size=(2, 12, 16))
    wide = regrid.probe(waves, (0.2, 0.2), (16, 20), (0.2, 0.2))
    np.testing.assert_allclose(wide[:, 2:14, 2:18], waves, atol=1e-12)
    assert np.sum(np.abs(wide) ** 2) == pytest.approx(np.sum(np.abs(waves) ** 2))
    fine = regrid.probe(waves, (0.2, 0.2), (24, 32), (0.1, 0.1))
    np.testing.assert_allclose(fine[:, ::2, ::2] * 2, waves, atol=1e-12)
    back = regrid.probe(fine, (0.1, 0.1), (12, 16), (0.2, 0.2))
    assert abs(np.vdot(back, waves)) / np.linalg.norm(back) / np.linalg.norm(waves) > 0.9  # all but half of Nyquist


def test_a_probe_goes_there_and_back():
    y, x = np.mgrid[-16:16, -16:16]
    waves = np.exp(-(y**2 + x**2) / 20)[None].astype(complex)
    there = regrid.propagated(waves, 80.0, (0.3, 0.3), 0.04)
    assert np.abs(there[0, 16, 16]) < 0.9
    np.testing.assert_allclose(regrid.propagated(there, -80.0, (0.3, 0.3), 0.04), waves, atol=1e-9)
