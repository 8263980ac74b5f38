"""The first object, its modes' weights and thicknesses, and what does not fit."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from ptycupy.errors import ConfigError, ResourceError
from ptycupy.experiment import object as first


def test_vacuum_is_transparent_and_nearly_flat():
    amplitude, phase = first.vacuum((1, 2, 5, 7), seed=3)
    assert amplitude.dtype == phase.dtype == np.float32
    assert amplitude.shape == phase.shape == (1, 2, 5, 7)
    assert (amplitude == 1).all()
    assert phase.min() >= 0
    assert 0.5e-8 < phase.max() < 1.0001e-8
    np.testing.assert_array_equal(first.vacuum((1, 2, 5, 7), seed=3)[1], phase)
    assert not np.array_equal(first.vacuum((1, 2, 5, 7), seed=4)[1], phase)


def test_further_modes_are_spread_a_little_and_stay_positive():
    amplitude, phase = first.vacuum((3, 1, 32, 32), seed=0)
    assert (amplitude[0] == 1).all()
    assert phase[0].max() < 1.0001e-8
    assert (amplitude[1:] - 1).std() == pytest.approx(5e-4, rel=0.1)
    assert phase.min() >= 0
    assert np.abs(amplitude[1] - amplitude[2]).max() > 1e-4


def test_a_given_object_gains_spread_copies_or_loses_modes():
    given = np.full((2, 1, 8, 8), 0.9, np.float32), np.full((2, 1, 8, 8), 4.0, np.float32)
    amplitude, phase = first.with_modes(*given, 3, seed=0)
    assert amplitude.shape == (3, 1, 8, 8)
    np.testing.assert_array_equal(amplitude[:2], given[0])
    np.testing.assert_array_equal(phase[:2], given[1])
    np.testing.assert_allclose(phase[2], 4.0, atol=0.01)
    assert not np.array_equal(amplitude[2], amplitude[1])
    assert first.with_modes(*given, 1, seed=0)[0].shape == (1, 1, 8, 8)
    assert (given[0] == np.float32(0.9)).all()


def test_growing_keeps_the_middle_of_the_object_in_the_middle():
    field = np.arange(20, dtype=np.float32).reshape(1, 1, 4, 5)
    out = first.grown(field, (9, 8), (9 // 2 - field.shape[-2] // 2, 8 // 2 - field.shape[-1] // 2), 1.0)
    np.testing.assert_array_equal(out[..., 2:6, 2:7], field)
    assert out[0, 0, 9 // 2, 8 // 2] == field[0, 0, 2, 2]
    assert (np.delete(out[0, 0], slice(2, 6), axis=0) == 1).all()


def test_occupancies_are_equal_by_default_and_normalised_with_a_warning(caplog):
    np.testing.assert_array_equal(first.occupancies(4, None), [0.25] * 4)
    with caplog.at_level(logging.WARNING):
        np.testing.assert_array_equal(first.occupancies(2, (0.25, 0.75)), [0.25, 0.75])
        assert not caplog.text
        np.testing.assert_allclose(first.occupancies(2, (1.0, 3.0)), [0.25, 0.75])
    assert "1, 3 sum to 4" in caplog.text


@pytest.mark.parametrize(
    ("weights", "message"),
    [((0.5, 0.5, 0.0), "above 0"), ((1.0, -0.5, 0.5), "above 0"), ((0.5, 0.5), "2 weights for 3")],
)
def test_impossible_occupancies_are_refused(weights, message):
    with pytest.raises(ConfigError, match=message):
        first.occupancies(3, weights)


def test_thickness_is_a_scalar_or_one_per_gap():
    assert first.slice_gaps(10.0, 3) == np.float32(10)
    assert np.ndim(first.slice_gaps(10.0, 3)) == 0
    np.testing.assert_array_equal(first.slice_gaps((10.0, 5.0), 3), np.float32([10, 5]))
    with pytest.raises(ConfigError, match="3 values for 3 slices, which have 2 gaps"):
        first.slice_gaps((1.0, 2.0, 3.0), 3)
    with pytest.raises(ConfigError, match="for example 10"):
        first.slice_gaps(None, 2)


def test_fault_39_one_slice_needs_no_thickness():
    assert first.slice_gaps(None, 1) > 0


@pytest.mark.parametrize("thickness", [0.0, -2.0, (4.0, 0.0), float("nan")])
def test_fault_40_a_thickness_that_is_not_positive_is_refused(thickness):
    with pytest.raises(ConfigError, match="slice_thickness_angstrom.*above 0"):
        first.slice_gaps(thickness, 3)


def test_fault_41_a_huge_object_is_refused_with_the_estimate(monkeypatch):
    monkeypatch.setattr(first, "available_memory", lambda: 64 * 10**9)
    with pytest.raises(
        ResourceError, match=r"100000 x 100000 px with 1 slices.*needs about 447.0 GiB, 59.6 GiB are free"
    ) as caught:
        first.require_memory((1, 1, 100_000, 100_000))
    assert caught.value.exit_code == 4
    first.require_memory((1, 1, 10_000, 10_000))
