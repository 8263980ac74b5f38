"""The slices of a batch with cuFFT and with our own transforms (backend.fft own), forward and adjoint, by window.

    pytest benchmarks/test_own_transforms.py --benchmark-only --backend cuda

16 patterns, 4 probe modes, 6 slices, float32. On the CPU there is one row per window: it has neither.
"""

from __future__ import annotations

from math import log2

import numpy as np
import pytest

from ptycupy.backends import select

N, P, Z = 16, 4, 6


@pytest.fixture(scope="module", params=["cufft", "own"])
def backend(request):
    device = request.config.getoption("--backend")
    if device == "cpu" and request.param == "own":
        pytest.skip("own transforms are CUDA kernels")
    return select(device, "float32", request.param)


@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize("window", [64, 128, 256, 512])
def test_multislice(record_speed, backend, window, direction):
    b, g, canvas = backend, np.random.default_rng(0), window + 108

    def wave(*shape):
        return b.asarray((g.standard_normal(shape) + 1j * g.standard_normal(shape)).astype(np.complex64))

    waves, transmission, grad_transmission = (
        wave(N, 1, P, window, window),
        *(wave(1, Z, canvas, canvas) for _ in "ab"),
    )
    transfer = b.asarray(np.exp(1j * g.uniform(0, 6, (1, 1, window, window))).astype(np.complex64))
    where = (b.asarray(g.integers(0, 108, (N, 2)).astype(np.int32)), b.asarray(np.arange(N, dtype=np.int32)))
    fixed = (transmission, transfer, *where)
    grad, saved = b.multislice_forward(waves, *fixed)
    calls = {
        "forward": lambda: b.multislice_forward(waves, *fixed),
        "backward": lambda: b.multislice_backward(grad, saved, *fixed, grad_transmission, True),
    }
    stack = waves.nbytes
    flops = 2 * (Z - 1) * N * P * 5 * window**2 * 2 * log2(window)
    record_speed(b, calls[direction], 2 * stack + (6 if direction == "backward" else 2) * transmission.nbytes, flops)
