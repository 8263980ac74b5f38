"""One row per op, forward and adjoint: time, and GB/s and GFLOP/s of what `ptycupy plan` counts for it.

    pytest benchmarks/test_ops.py --benchmark-only [--backend cuda]

Those of the optional parameters are in test_instrument_ops.py, the optimizers' in test_optimizer_steps.py.
128 x 128 px windows, 16 patterns, 4 probe modes, 6 slices, float32: `ptycupy.bench.scene`.
"""

from __future__ import annotations

from ptycupy.bench.iteration import Point
from ptycupy.bench.scene import Scene

POINT = Point(16, 4, 6)


class Bench(Scene):
    def __init__(self, backend):
        super().__init__(backend, POINT)


def test_op(record_speed, bench, name):
    record_speed(bench, name)
