"""One step of Adagrad (Duchi, Hazan and Singer 2011) as torch.optim.Adagrad takes it."""

from __future__ import annotations

import math

from numba import prange

from ptycupy.backends.cpu.jit import jit_parallel
from ptycupy.backends.interface import Array


@jit_parallel
def adagrad(
    parameter: Array,
    sums: Array,
    grad: Array,
    rate: float,
    eps: float,
    decay: float,
) -> None:
    """g = grad + decay x, s += g^2, x -= rate g / (sqrt(s) + eps)."""
    for i in prange(parameter.size):
        x = parameter[i]
        g = grad[i] + decay * x
        s = sums[i] + g * g
        sums[i] = s
        parameter[i] = x - rate * g / (math.sqrt(s) + eps)


__all__ = ["adagrad"]
