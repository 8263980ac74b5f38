"""The scene of the ops' benchmarks: the same calls run on a backend and count on its twin."""

import pytest

from ptycupy.backends import select
from ptycupy.bench.iteration import Point
from ptycupy.bench.ops import OPS, time_ops
from ptycupy.bench.scene import Scene, counted
from ptycupy.planning import counting

POINT = Point(2, 3, 2, 16)
WAVES, WAVE = 2 * 3, 8 * 16 * 16  # and bytes of one


@pytest.mark.parametrize("kind", ["cpu", "cuda"])
def test_every_call_counts_what_it_moves(kind):
    scene = Scene(counting(kind), POINT)
    cost_of = counted(scene)
    costs = {name: cost_of(name) for name in scene.calls()}
    assert [name for name, cost in costs.items() if cost.bytes <= 0] == []
    assert costs["far field forward"].transforms == WAVES
    assert costs["propagate forward"].transforms == 2 * WAVES
    assert costs["intensity forward"].bytes == WAVES * WAVE + 2 * 4 * 16 * 16
    assert costs["adam (one object field)"].bytes == 7 * 4 * 2 * 124**2


def test_rates_are_those_of_the_counts():
    rows = list(time_ops(select("cpu"), POINT, 10.0, 20.0, 0.0))
    assert [row["op"] for row in rows] == list(OPS)
    cost_of = counted(Scene(counting("cpu"), POINT))
    for row in rows:
        assert row["gb_per_s"] * row["seconds"] * 1e9 == pytest.approx(cost_of(row["op"]).bytes)
        assert row["share_of_copy"] == pytest.approx(row["gb_per_s"] / 10)
