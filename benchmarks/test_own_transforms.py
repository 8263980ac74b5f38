"""The slices of a batch with cuFFT, in steps and as whole waves (backend.fft), forward and adjoint, by window, with the
gradient of the transfer function (tilts and thickness refined) and without.

    pytest benchmarks/test_own_transforms.py --benchmark-only --backend cuda

16 and 64 patterns, 4 probe modes, 6 slices, float32. On the CPU there is one row per size: it has neither.
"""

from __future__ import annotations

import numpy as np
import pytest

from ptycupy.backends import select
from ptycupy.planning import shaped, twin_of

P, Z = 4, 6


@pytest.fixture(scope="module", params=["cufft", "steps", "whole"])
def backend(request):
    device = request.config.getoption("--backend")
    if device == "cpu" and request.param != "cufft":
        pytest.skip("own transforms are CUDA kernels")
    return select(device, "float32", request.param), request.param


@pytest.mark.parametrize("refined", [False, True], ids=["fixed", "refined"])
@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize("patterns", [16, 64])
@pytest.mark.parametrize("window", [64, 128, 256, 512])
def test_multislice(timed_call, backend, window, patterns, direction, refined):
    if window > 128 and (patterns > 16 or backend[1] == "whole"):
        pytest.skip("for windows that whole waves have kernels for")
    if refined and backend[1] == "whole":
        pytest.skip("whole waves have no gradient of the transfer function")
    b, g, canvas = backend[0], np.random.default_rng(0), window + 108

    def wave(*shape):
        return b.asarray((g.standard_normal(shape) + 1j * g.standard_normal(shape)).astype(np.complex64))

    waves, transmission, grad_transmission = (
        wave(patterns, 1, P, window, window),
        *(wave(1, Z, canvas, canvas) for _ in "ab"),
    )
    transfer, grad_transfer = (
        b.asarray(np.exp(1j * g.uniform(0, 6, (1, 1, window, window))).astype(np.complex64)) for _ in "ab"
    )
    where = (
        b.asarray(g.integers(0, 108, (patterns, 2)).astype(np.int32)),
        b.asarray(np.arange(patterns, dtype=np.int32)),
    )
    fixed = (transmission, transfer, *where)
    wanted = (grad_transmission, grad_transfer if refined else None, True)

    def both(b, *arrays):
        """The calls of both directions: what the way back is given is the backend's own."""
        waves, *fixed = arrays[:5]
        grad, saved = b.multislice_forward(waves, *fixed, refined)
        return {
            "forward": lambda: b.multislice_forward(waves, *fixed, refined),
            "backward": lambda: b.multislice_backward(grad, saved, *fixed, *arrays[5:]),
        }

    counted, arrays = twin_of(b), (waves, *fixed, *wanted)
    both(counted, *shaped(arrays))["backward"]()
    timed_call(b, both(b, *arrays)[direction], counted.ledger.costs[f"multislice_{direction}"])
