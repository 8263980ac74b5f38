"""Halves and parts of a scan, and that what is built has them."""

import numpy as np
import pytest

from ptycupy import Engine, experiment
from ptycupy.config.schema import Config
from ptycupy.data.source import ArraySource
from ptycupy.errors import ConfigError
from ptycupy.experiment.selection import select_positions, subscan
from ptycupy.reconstruction.configured import settings_from


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


@pytest.mark.parametrize(
    ("loop", "expected"),
    [
        ({}, range(20)),
        ({"half": "odd"}, [1, 3, 5, 7, 9, 11, 13, 15, 17, 19]),  # 5 in a row: the checkerboard is every other one
        ({"half": "even", "subscan": {"mode": "centre", "shape": [2, 3]}}, [6, 8, 12]),
    ],
    ids=["all", "odd", "even, in the centre"],
)
def test_what_is_built_leaves_the_others_without_weight(loop, expected):
    """Not only where the command line runs it: an Engine on what `experiment.build` gives, and the plan's outline."""
    counts = np.random.default_rng(0).poisson(20, (20, 24, 24)).astype(np.uint16)
    config = Config.model_validate(
        {
            "calibration": {"mode": "pixel_size_angstrom", "value": 0.25},
            "illumination": {"voltage_kv": 80.0, "convergence_angle_mrad": 25.0},
            "scan": {"step_px": 2.0},
            "reconstruction": {"batch_size": 4, **loop},
        }
    )
    source = ArraySource(counts, (4, 5))
    for make in (experiment.build, experiment.outline):
        problem, state = make(config, source)
        engine = Engine(problem, state, settings_from(config), "cpu")
        np.testing.assert_array_equal(engine.used, list(expected))
