"""Phantoms: values, edges, symmetry and randomness."""

from __future__ import annotations

import numpy as np
import pytest

from ptycupy.simulate.phantom import random_discs, siemens_star


def test_the_star_has_its_spokes_and_equal_gaps() -> None:
    star = siemens_star((256, 256), 110.0, spokes=12)
    assert (star.min(), star.max()) == (0.0, 1.0)
    angles = np.linspace(0, 2 * np.pi, 2000, endpoint=False)
    ring = star[np.rint(128 + 90 * np.sin(angles)).astype(int), np.rint(128 + 90 * np.cos(angles)).astype(int)] > 0.5
    assert np.count_nonzero(np.diff(ring.astype(int))) == 24
    assert ring.mean() == pytest.approx(0.5, abs=0.03)
    assert star[128, 128] == 0.0
    assert star[0].max() == 0.0


def test_discs_follow_their_seed_and_cover_the_field() -> None:
    made = [random_discs((96, 80), (3.0, 6.0), 0.5, np.random.default_rng(seed)) for seed in (0, 0, 1)]
    np.testing.assert_array_equal(made[0], made[1])
    assert not np.array_equal(made[0], made[2])
    assert 0.15 < (made[0] > 0).mean() < 0.6
    assert 0 <= made[0].min() < made[0].max() <= 1
