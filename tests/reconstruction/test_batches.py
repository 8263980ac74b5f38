"""Groups of positions: every index once, of the right size, tight or spread as asked, other ones each time."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ptycupy.errors import ConfigError
from ptycupy.reconstruction.batches import make_groups

GROUPINGS = ["random", "compact", "sparse"]


def raster(rows, columns, jitter=0.0):
    y, x = np.mgrid[:rows, :columns]
    points = np.stack([y.ravel(), x.ravel()], axis=1).astype(float)
    return points + np.random.default_rng(0).normal(0, jitter, points.shape) if jitter else points


def radius(points):
    return float(np.sqrt(((points - points.mean(axis=0)) ** 2).sum(axis=1).mean()))


def nearest(points):
    distance = np.linalg.norm(points[:, None] - points[None], axis=2)
    return float(distance[~np.eye(len(points), dtype=bool)].min())


@settings(max_examples=60, deadline=None, database=None)
@given(
    grouping=st.sampled_from(GROUPINGS),
    count=st.integers(1, 150),
    size=st.integers(1, 40),
    spread=st.sampled_from([(0.0, 0.0), (0.0, 9.0), (5.0, 5.0), (1e-9, 1e6)]),
    seed=st.integers(0, 99),
)
def test_every_index_once_in_groups_of_the_size(grouping, count, size, spread, seed):
    positions = np.random.default_rng(seed).uniform(size=(count, 2)) * spread
    groups = make_groups(positions, size, grouping, np.random.default_rng(seed))
    assert sorted(np.concatenate(groups).tolist()) == list(range(count))
    assert [len(group) for group in groups[:-1]] == [size] * (len(groups) - 1)
    assert 1 <= len(groups[-1]) <= size
    assert all(group.dtype == np.int32 for group in groups)


@pytest.mark.parametrize(
    "points", [raster(32, 32), raster(32, 32, 0.3), raster(13, 41)], ids=["raster", "jitter", "odd"]
)
@pytest.mark.parametrize("size", [13, 16])
def test_compact_groups_are_tight_and_sparse_ones_spread(points, size):
    def mean(grouping, measure):
        groups = make_groups(points, size, grouping, np.random.default_rng(1))
        return np.mean([measure(points[group]) for group in groups if len(group) == size])

    assert mean("compact", radius) < 0.25 * mean("random", radius)
    assert mean("sparse", nearest) > 1.7 * mean("random", nearest)


@pytest.mark.parametrize("grouping", GROUPINGS)
def test_groups_differ_between_calls_and_repeat_with_the_seed(grouping):
    points = raster(16, 16)

    def drawn(generator):
        return {frozenset(group.tolist()) for group in make_groups(points, 16, grouping, generator)}

    generator = np.random.default_rng(3)
    first, second = drawn(generator), drawn(generator)
    assert first == drawn(np.random.default_rng(3))
    assert len(first & second) < len(first) / 2


def test_the_order_of_groups_is_shuffled():
    points = raster(16, 16)
    first = [make_groups(points, 16, "compact", np.random.default_rng(seed))[0].min() for seed in range(8)]
    assert len(set(first)) > 3


@pytest.mark.parametrize("grouping", GROUPINGS)
def test_a_large_scan_takes_less_than_a_second(grouping):
    points = raster(256, 256)
    start = time.perf_counter()
    make_groups(points, 16, grouping, np.random.default_rng(0))
    assert time.perf_counter() - start < 1.0


def test_unknown_grouping_and_empty_batches_are_refused():
    with pytest.raises(ConfigError, match="'hexagonal' is unknown.*random, compact, sparse"):
        make_groups(raster(2, 2), 2, "hexagonal", np.random.default_rng(0))
    with pytest.raises(ConfigError, match="batch_size: 0"):
        make_groups(raster(2, 2), 0, "random", np.random.default_rng(0))
