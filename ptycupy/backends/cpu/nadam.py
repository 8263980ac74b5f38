"""One step of Adam with Nesterov momentum (Dozat 2016) as torch.optim.NAdam takes it."""

from __future__ import annotations

import math

from numba import prange

from ptycupy.backends.cpu.jit import jit_parallel
from ptycupy.backends.interface import Array


@jit_parallel
def nadam(
    parameter: Array,
    first: Array,
    second: Array,
    grad: Array,
    grad_rate: float,
    first_rate: float,
    root_scale: float,
    fresh_first: float,
    fresh_second: float,
    eps: float,
    decay: float,
    keep: float,
) -> None:
    """g = grad + decay x, m += fresh_first (g - m), v += fresh_second (g^2 - v);
    x = keep x - (grad_rate g + first_rate m) / (sqrt(v) root_scale + eps)."""
    for i in prange(parameter.size):
        x = parameter[i]
        g = grad[i] + decay * x
        m = first[i] + fresh_first * (g - first[i])
        v = second[i] + fresh_second * (g * g - second[i])
        first[i] = m
        second[i] = v
        parameter[i] = keep * x - (grad_rate * g + first_rate * m) / (math.sqrt(v) * root_scale + eps)


__all__ = ["nadam"]
