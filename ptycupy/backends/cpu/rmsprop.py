"""One step of RMSprop (Tieleman and Hinton 2012) as torch.optim.RMSprop takes it."""

from __future__ import annotations

import math

from numba import prange

from ptycupy.backends.cpu.jit import jit_parallel
from ptycupy.backends.interface import Array


@jit_parallel
def rmsprop(
    parameter: Array,
    squares: Array,
    mean: Array,
    buffer: Array,
    grad: Array,
    rate: float,
    alpha: float,
    rest: float,
    eps: float,
    momentum: float,
    decay: float,
) -> None:
    """g = grad + decay x, s = alpha s + rest g^2, m += rest (g - m), d = g / (sqrt(s - m^2) + eps), b = momentum b + d,
    x -= rate b; an empty mean is 0, an empty buffer takes d for b."""
    for i in prange(parameter.size):
        x = parameter[i]
        g = grad[i] + decay * x
        s = alpha * squares[i] + rest * (g * g)
        squares[i] = s
        if mean.size > 0:
            m = mean[i] + rest * (g - mean[i])
            mean[i] = m
            s -= m * m
        direction = g / (math.sqrt(s) + eps)
        if buffer.size > 0:
            direction += momentum * buffer[i]
            buffer[i] = direction
        parameter[i] = x - rate * direction


__all__ = ["rmsprop"]
