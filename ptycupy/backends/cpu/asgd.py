"""One step of averaged gradient descent (Polyak and Juditsky 1992) as torch.optim.ASGD takes it."""

from __future__ import annotations

from numba import prange

from ptycupy.backends.cpu.jit import jit_parallel
from ptycupy.backends.interface import Array


@jit_parallel
def asgd(
    parameter: Array,
    average: Array,
    grad: Array,
    eta: float,
    keep: float,
    weight: float,
    decay: float,
) -> None:
    """g = grad + decay x, x = keep x - eta g, average += weight (x - average)."""
    for i in prange(parameter.size):
        x = parameter[i]
        g = grad[i] + decay * x
        x = keep * x - eta * g
        parameter[i] = x
        average[i] = x if weight == 1 else average[i] + weight * (x - average[i])


__all__ = ["asgd"]
