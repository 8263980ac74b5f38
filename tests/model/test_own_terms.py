"""A term that is derived from one of ours: its own ops are asked, also where ours are one op with all the way there."""

from __future__ import annotations

import pytest
from scenes import random_scene

from ptycupy import loss_and_gradients
from ptycupy.model.losses import Gaussian, Poisson


@pytest.mark.parametrize("kind", [Gaussian, Poisson])
def test_ops_of_a_derived_term_are_not_passed_by(kind):
    asked = []

    class Own(kind):
        def ops(self, batch, statistics):
            asked.append(batch.total)
            return super().ops(batch, statistics)

    problem, state = random_scene(positions=3, window=(64, 64), slices=2)
    options = {"indices": [0, 1, 2], "backend": "cpu", "dtype": "float64"}
    loss, gradients = loss_and_gradients(problem, state, losses={"own": Own()}, **options)
    assert asked == [3]
    name = kind.__name__.lower()
    expected, same = loss_and_gradients(problem, state, losses={name: {}}, **options)
    assert loss.total == pytest.approx(expected.total, rel=1e-12)
    assert abs(gradients.object_phase - same.object_phase).max() <= 1e-10 * abs(same.object_phase).max()
