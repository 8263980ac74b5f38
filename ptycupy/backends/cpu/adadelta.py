"""One step of Adadelta (Zeiler 2012) as torch.optim.Adadelta takes it."""

from __future__ import annotations

import math

from numba import prange

from ptycupy.backends.cpu.jit import jit_parallel
from ptycupy.backends.interface import Array


@jit_parallel
def adadelta(
    parameter: Array,
    squares: Array,
    updates: Array,
    grad: Array,
    rate: float,
    rho: float,
    rest: float,
    eps: float,
    decay: float,
) -> None:
    """g = grad + decay x, s = rho s + rest g^2, d = g sqrt(u + eps) / sqrt(s + eps),
    u = rho u + rest d^2, x -= rate d."""
    for i in prange(parameter.size):
        x = parameter[i]
        g = grad[i] + decay * x
        s = rho * squares[i] + rest * (g * g)
        d = g * (math.sqrt(updates[i] + eps) / math.sqrt(s + eps))
        squares[i] = s
        updates[i] = rho * updates[i] + rest * (d * d)
        parameter[i] = x - rate * d


__all__ = ["adadelta"]
