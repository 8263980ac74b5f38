"""One whole iteration of a synthetic scan: every pattern once, with constraints, device synchronised.

pytest benchmarks/test_iteration.py --benchmark-only [--backend cuda]
"""

from __future__ import annotations

import pytest

from ptycupy.backends import select
from ptycupy.bench.iteration import Point, synthetic_engine

PATTERNS = 64
CASES = [Point(16, 1, 1), Point(16, 4, 6), Point(64, 4, 6)]


@pytest.mark.parametrize("point", CASES, ids=str)
def test_iteration(benchmark, request, point):
    engine = synthetic_engine(select(request.config.getoption("--backend")), point, PATTERNS)
    engine.run(1)
    benchmark.pedantic(engine.run, args=(1,), rounds=3)
    if benchmark.stats:
        benchmark.extra_info["patterns per second"] = round(PATTERNS / benchmark.stats.stats.median, 1)
