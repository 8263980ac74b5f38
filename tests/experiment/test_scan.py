"""Scan positions: rasters, orientation, affine, jitter, placement, and what is refused."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from ptycupy.errors import ConfigError, DataError
from ptycupy.experiment import scan


def test_raster_runs_fast_along_x_and_is_centred():
    positions = scan.raster((2, 3), (4.0, 1.5))
    expected = [[-2, -1.5], [-2, 0], [-2, 1.5], [2, -1.5], [2, 0], [2, 1.5]]
    np.testing.assert_array_equal(positions, expected)


def test_orientation_reverses_the_order_of_a_raster_and_swaps_coordinates():
    positions = scan.raster((2, 3), (4.0, 1.5))
    grid = positions.reshape(2, 3, 2)
    np.testing.assert_array_equal(scan.orient(positions, (2, 3), True, False, False), grid[::-1].reshape(-1, 2))
    np.testing.assert_array_equal(scan.orient(positions, (2, 3), False, True, False), grid[:, ::-1].reshape(-1, 2))
    np.testing.assert_array_equal(scan.orient(positions, None, False, False, True), positions[:, ::-1])
    with pytest.raises(ConfigError, match=r"data\.scan_shape"):
        scan.orient(positions, None, True, False, False)


def test_affine_matrix_is_scale_asymmetry_rotation_and_shear_in_this_order():
    c, s, t = np.cos(np.radians(30)), np.sin(np.radians(30)), np.tan(np.radians(5))
    expected = 2 * np.array([[1.05, 0], [0, 0.95]]) @ np.array([[c, s], [-s, c]]) @ np.array([[1, 0], [t, 1]])
    np.testing.assert_allclose(scan.affine_matrix(2, 0.1, 30, 5), expected, rtol=1e-14)
    np.testing.assert_array_equal(scan.affine_matrix(1, 0, 0, 0), np.eye(2))


def test_a_rotation_by_90_degrees_takes_y_to_x_about_the_mean():
    positions = np.array([[10.0, 5.0], [12.0, 5.0]])
    turned = scan.distort(positions, scan.affine_matrix(1, 0, 90, 0))
    np.testing.assert_allclose(turned, [[11, 4], [11, 6]], atol=1e-12)


def test_jitter_is_reproducible_and_has_the_stated_width():
    positions = np.zeros((4000, 2))
    first, again, other = (scan.jitter(positions, 0.15, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert first.std() == pytest.approx(0.15, rel=0.03)
    assert scan.jitter(positions, 0.0, 1) is positions


def test_placement_follows_the_canvas_rule_and_centres_the_scan():
    positions = scan.raster((4, 5), (3.3, 2.1))
    placement = scan.place(positions, (16, 12), 0.2)
    assert placement.canvas == (int(1.2 * np.ceil(9.9 + 16)), int(1.2 * np.ceil(8.4 + 12)))
    expected = positions + [placement.canvas[0] // 2 - 8, placement.canvas[1] // 2 - 6]
    assert placement.corners.dtype == np.int32
    assert placement.shifts.dtype == np.float32
    np.testing.assert_array_equal(placement.corners, np.rint(expected))
    np.testing.assert_allclose(placement.corners + placement.shifts, expected, atol=1e-6)


def test_halves_round_to_even():
    placement = scan.place(np.array([[0.0, 0.0], [1.0, 3.0]]), (4, 4), 1.0)
    assert set(np.unique(np.abs(placement.shifts))) == {0.5}
    assert not (placement.corners[np.abs(placement.shifts) == 0.5] % 2).any()


@pytest.mark.parametrize("margin", [0.0, 0.2])
@pytest.mark.parametrize("window", [1, 4, 5])
@pytest.mark.parametrize("span", [0.0, 0.5, 3.0, 3.49, 7.5])
def test_fault_35_the_canvas_always_holds_every_window(margin, window, span):
    positions = np.array([[1000.0, -50.0], [1000.0 + span, -50.0 - span], [1000.2, -50.1]])
    placement = scan.place(positions, (window, window), margin)
    assert placement.corners.min() >= 0
    assert (placement.corners + window <= placement.canvas).all()
    assert np.abs(placement.shifts).max() <= 0.5
    moved = placement.corners + placement.shifts.astype(float) - positions
    np.testing.assert_allclose(moved, np.broadcast_to(moved[0], moved.shape), atol=1e-4)


def test_fault_39_one_position():
    placement = scan.place(scan.raster((1, 1), (4.0, 4.0)), (7, 8), 0.2)
    assert placement.corners.shape == (1, 2)
    assert scan.warn_of_overlap(np.zeros((1, 2)), (1, 1), np.ones((1, 7, 8))) is None


def test_fault_35_positions_that_are_not_finite_are_named():
    positions = np.zeros((9, 2))
    positions[3, 1], positions[7, 0] = np.nan, np.inf
    with pytest.raises(DataError, match=r"pos\.txt: 2 of 9 positions are not finite: 3 at \(0, nan\), 7 at \(inf, 0\)"):
        scan.checked_positions(positions, 9, "pos.txt")


@pytest.mark.parametrize(
    ("count", "message"),
    [(12, r"9 positions for 12 patterns; indices 9 to 11 have no position"), (7, r"indices 7 to 8 have no pattern")],
)
def test_fault_35_a_wrong_number_of_positions_names_the_indices(count, message):
    with pytest.raises(DataError, match=message):
        scan.checked_positions(np.zeros((9, 2)), count, "pos.txt")


@pytest.mark.parametrize("values", [np.zeros(8), np.zeros((4, 3)), np.zeros((4, 2), complex)])
def test_fault_35_positions_of_a_wrong_kind(values):
    with pytest.raises(DataError, match=r"must be numbers \(N, 2\)"):
        scan.checked_positions(values, 4, "pos.txt")


def test_fault_35_positions_that_no_canvas_can_hold_are_named():
    positions = scan.raster((3, 3), (1.0, 1.0))
    positions[4] = 1e12
    with pytest.raises(DataError, match=r"scan: 1 of 9 positions are out of reach: 4 at \(1e\+12, 1e\+12\)"):
        scan.place(positions, (8, 8), 0.2)


def disk(radius, n=64):
    y, x = np.mgrid[:n, :n] - n // 2
    return (np.hypot(y, x) <= radius).astype(np.complex64)[None]


@pytest.mark.parametrize(
    ("step", "words"),
    [(4.0, None), (16.0, "overlap by 20 %"), (24.0, "24.00 px is larger than the probe's diameter of 20")],
)
def test_fault_36_little_overlap_is_a_warning_with_the_number(step, words, caplog):
    with caplog.at_level(logging.WARNING):
        overlap = scan.warn_of_overlap(scan.raster((4, 4), (step, step / 2)), (4, 4), disk(10))
    assert overlap == pytest.approx(1 - step / 20, abs=0.02)
    assert (words in caplog.text) if words else not caplog.text


def test_the_step_of_scattered_positions_is_the_nearest_neighbours():
    rng = np.random.default_rng(0)
    positions = rng.permutation(scan.raster((6, 6), (3.0, 5.0)))
    assert scan.typical_step(positions, None) == pytest.approx(3.0)
