"""One step of Adam with the infinity norm (Kingma and Ba 2015) as torch.optim.Adamax takes it."""

from __future__ import annotations

from numba import prange

from ptycupy.backends.cpu.jit import jit_parallel
from ptycupy.backends.interface import Array


@jit_parallel
def adamax(
    parameter: Array,
    first: Array,
    largest: Array,
    grad: Array,
    step_size: float,
    fresh_first: float,
    beta2: float,
    eps: float,
    decay: float,
) -> None:
    """g = grad + decay x, m += fresh_first (g - m), u = max(beta2 u, |g| + eps), x -= step_size m / u."""
    for i in prange(parameter.size):
        x = parameter[i]
        g = grad[i] + decay * x
        m = first[i] + fresh_first * (g - first[i])
        u = max(beta2 * largest[i], abs(g) + eps)
        first[i] = m
        largest[i] = u
        parameter[i] = x - step_size * m / u


__all__ = ["adamax"]
