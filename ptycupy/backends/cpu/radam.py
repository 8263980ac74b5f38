"""One step of rectified Adam (Liu et al. 2020) as torch.optim.RAdam takes it."""

from __future__ import annotations

import math

from numba import prange

from ptycupy.backends.cpu.jit import jit_parallel
from ptycupy.backends.interface import Array


@jit_parallel
def radam(
    parameter: Array,
    first: Array,
    second: Array,
    grad: Array,
    plain_rate: float,
    adaptive_rate: float,
    fresh_first: float,
    fresh_second: float,
    eps: float,
    decay: float,
    keep: float,
) -> None:
    """g = grad + decay x, m += fresh_first (g - m), v += fresh_second (g^2 - v);
    x = keep x - m (plain_rate + adaptive_rate / (sqrt(v) + eps))."""
    for i in prange(parameter.size):
        x = parameter[i]
        g = grad[i] + decay * x
        m = first[i] + fresh_first * (g - first[i])
        v = second[i] + fresh_second * (g * g - second[i])
        first[i] = m
        second[i] = v
        parameter[i] = keep * x - m * (plain_rate + adaptive_rate / (math.sqrt(v) + eps))


__all__ = ["radam"]
