"""One step of Adam where the gradient is not zero, as torch.optim.SparseAdam takes it."""

from __future__ import annotations

import math

from numba import prange

from ptycupy.backends.cpu.jit import jit_parallel
from ptycupy.backends.interface import Array


@jit_parallel
def sparse_adam(
    parameter: Array,
    first: Array,
    second: Array,
    grad: Array,
    fresh_first: float,
    fresh_second: float,
    step_size: float,
    eps: float,
) -> None:
    """Where g != 0: m += fresh_first (g - m), v += fresh_second (g^2 - v), x -= step_size m / (sqrt(v) + eps)."""
    for i in prange(parameter.size):
        g = grad[i]
        if g != 0:
            m = first[i] + fresh_first * (g - first[i])
            v = second[i] + fresh_second * (g * g - second[i])
            first[i] = m
            second[i] = v
            parameter[i] -= step_size * m / (math.sqrt(v) + eps)


__all__ = ["sparse_adam"]
