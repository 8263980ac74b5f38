"""Halves of a scan, and the fingerprint of its patterns."""

import numpy as np
import pytest

from ptycupy.data.source import ArraySource
from ptycupy.errors import ConfigError
from ptycupy.reconstruction.fingerprint import data_fingerprint
from ptycupy.reconstruction.selection import select_positions, subscan


@pytest.mark.parametrize("scan_shape", [(4, 6), (5, 5), (3, 4), None])
def test_halves_are_disjoint_and_complete(scan_shape):
    count = 24 if scan_shape is None else scan_shape[0] * scan_shape[1]
    even, odd = (select_positions(count, half, scan_shape) for half in ("even", "odd"))
    assert sorted([*even, *odd]) == list(range(count))
    assert abs(len(even) - len(odd)) <= 1
    np.testing.assert_array_equal(select_positions(count, "all", scan_shape), np.arange(count))


def test_halves_of_a_raster_are_a_checkerboard():
    mask = np.zeros(24, int)
    mask[select_positions(24, "odd", (4, 6))] = 1
    board = mask.reshape(4, 6)
    assert (board[1:] != board[:-1]).all()
    assert (board[:, 1:] != board[:, :-1]).all()


def test_a_subscan_is_the_middle_or_spread():
    """As PtyRAD's `center` and `sub` choose, the latter by np.linspace(0, n - 1, wanted, dtype=int)."""
    board = np.arange(7 * 9).reshape(7, 9)
    np.testing.assert_array_equal(subscan((7, 9), "centre", (4, 3)), board[1:5, 3:6].ravel())
    np.testing.assert_array_equal(subscan((7, 9), "spread", (3, 4)), board[[0, 3, 6]][:, [0, 2, 5, 8]].ravel())
    np.testing.assert_array_equal(subscan((7, 9), "spread", (7, 9)), board.ravel())
    with pytest.raises(ConfigError, match=r"shape: \[8, 9\] of a scan of \[7, 9\]"):
        subscan((7, 9), "centre", (8, 9))
    with pytest.raises(ConfigError, match=r"data\.scan_shape"):
        subscan(None, "spread", (2, 2))


def test_unknown_half_is_refused():
    with pytest.raises(ConfigError, match="'first' is unknown"):
        select_positions(4, "first")


def test_fingerprint_tells_data_sets_apart_and_takes_arrays_and_sources_alike():
    patterns = np.random.default_rng(0).integers(0, 100, (50, 4, 4)).astype(np.uint16)
    known = data_fingerprint(patterns)
    assert data_fingerprint(ArraySource(patterns)) == known
    assert data_fingerprint(patterns.astype(">u2")) == known
    assert data_fingerprint(patterns.astype(np.uint32)) != known
    assert data_fingerprint(patterns.reshape(50, 2, 8)) != known
    changed = patterns.copy()
    changed[-1, 0, 0] += 1
    assert data_fingerprint(changed) != known
