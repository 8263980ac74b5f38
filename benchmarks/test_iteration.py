"""One whole iteration of a synthetic scan: every pattern once, with constraints, device synchronised.

pytest benchmarks/test_iteration.py --benchmark-only [--backend cuda]
"""

from __future__ import annotations

import numpy as np
import pytest

import ptycupy
from ptycupy import Constraint, Engine, Problem, Settings, State

CASES = [(16, 1, 1), (16, 4, 6), (64, 4, 6)]
RATES = {"object_amplitude": 5e-4, "object_phase": 5e-4, "probe": 1e-4, "shifts": 5e-4}


@pytest.mark.parametrize(("batch", "modes", "slices"), CASES)
def test_iteration(benchmark, request, batch, modes, slices):
    side, step, window = 8, 3, 128
    g = np.random.default_rng(0)
    canvas = window + step * side
    corners = step * np.stack(np.meshgrid(np.arange(side), np.arange(side), indexing="ij"), -1).reshape(-1, 2)
    probe = ptycupy.make_probe(80, 24.9, (window, window), 0.15, modes=modes).reshape(modes, window, window)
    object_shape = (1, slices, canvas, canvas)
    state = State(
        np.ones(object_shape, np.float32),
        g.uniform(0, 1e-8, object_shape).astype(np.float32),
        probe.astype(np.complex64),
        np.zeros((side**2, 2), np.float32),
        np.zeros((1, 2), np.float32),
        2.0,
    )
    patterns = g.poisson(3, (side**2, window, window)).astype(np.uint16)
    settings = Settings(
        {"gaussian": {}, "sparsity": {}},
        learning_rates=RATES,
        constraints=[Constraint("orthogonal_probe"), Constraint("fixed_probe_intensity"), Constraint("depth_blur")],
        batch_size=batch,
    )
    problem = Problem(patterns, corners, 0.15, 0.0418, pattern_scale=1e-3)
    engine = Engine(problem, state, settings, backend=request.config.getoption("--backend"))
    engine.run(1)
    benchmark.pedantic(engine.run, args=(1,), rounds=3)
    benchmark.extra_info["patterns per second"] = round(side**2 / benchmark.stats.stats.median, 1)
