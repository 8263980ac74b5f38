"""One step of stochastic gradient descent as torch.optim.SGD takes it."""

from __future__ import annotations

from numba import prange

from ptycupy.backends.cpu.jit import jit_parallel
from ptycupy.backends.interface import Array


@jit_parallel
def sgd(
    parameter: Array,
    buffer: Array,
    grad: Array,
    rate: float,
    momentum: float,
    fresh: float,
    ahead: float,
    weight: float,
    decay: float,
) -> None:
    """g = grad + decay x, b = momentum b + fresh g, x -= rate (ahead g + weight b); an empty buffer is none:
    x -= rate g."""
    for i in prange(parameter.size):
        x = parameter[i]
        g = grad[i] + decay * x
        direction = g
        if buffer.size > 0:
            b = momentum * buffer[i] + fresh * g
            buffer[i] = b
            direction = ahead * g + weight * b
        parameter[i] = x - rate * direction


__all__ = ["sgd"]
