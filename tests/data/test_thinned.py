"""Binomial thinning: both parts make up the measurement, and their noise is independent."""

import numpy as np
import pytest

from ptycupy.data import ArraySource
from ptycupy.data.thinned import ThinnedSource
from ptycupy.errors import DataError

SEED = np.random.SeedSequence(4)


def source(kind=np.uint16, mean=20.0):
    return ArraySource(np.random.default_rng(1).poisson(mean, (40, 16, 16)).astype(kind), (5, 8))


def test_both_parts_together_are_all_counts_in_any_order_of_reading():
    whole = source()
    kept, rest = (ThinnedSource(whole, SEED, 0.3, part) for part in (False, True))
    np.testing.assert_array_equal(kept.read(range(40)) + rest.read(range(40)), whole.patterns)
    slabs = np.concatenate([patterns for _, patterns in kept.slabs(7)])
    np.testing.assert_array_equal(slabs, kept.read(range(40)))
    np.testing.assert_array_equal(kept.read([9, 2]), slabs[[9, 2]])
    assert (kept.shape, kept.dtype, kept.scan_shape) == ((40, 16, 16), np.uint16, (5, 8))
    assert kept.provenance.steps == ("counts kept by a thinning to 30 %",)


def test_the_parts_are_poisson_counts_that_know_nothing_of_each_other():
    whole = source(mean=20.0)
    kept, rest = (ThinnedSource(whole, SEED, 0.5, part).read(range(40)).ravel().astype(float) for part in (False, True))
    for part in (kept, rest):
        assert part.mean() == pytest.approx(10, abs=0.15)
        assert part.var() == pytest.approx(10, abs=0.5)
    assert abs(np.corrcoef(kept, rest)[0, 1]) < 0.03  # 1 / sqrt(10240) = 0.01


def test_what_is_no_count_cannot_be_divided():
    halves = ThinnedSource(ArraySource(np.full((3, 4, 4), 0.5, np.float32)), SEED, 0.5, False)
    with pytest.raises(DataError, match="no counts"):
        halves.read([0])
    floats = ThinnedSource(source(np.float32), SEED, 0.5, False).read([0])
    assert floats.dtype == np.float32
    assert (floats == np.rint(floats)).all()
