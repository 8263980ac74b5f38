"""One step of Adam (Kingma and Ba 2015), AMSGrad and AdamW as torch.optim takes them."""

from __future__ import annotations

import math

from numba import prange

from ptycupy.backends.cpu.jit import jit_parallel
from ptycupy.backends.interface import Array


@jit_parallel
def adam(
    parameter: Array,
    first: Array,
    second: Array,
    largest: Array,
    grad: Array,
    fresh_first: float,
    fresh_second: float,
    step_size: float,
    root_scale: float,
    eps: float,
    decay: float,
    keep: float,
) -> None:
    """m += fresh_first (g - m), v += fresh_second (g^2 - v), g = grad + decay x, w = max(w, v) or, with w empty, v;
    x = keep x - step_size m / (sqrt(w) root_scale + eps)."""
    for i in prange(parameter.size):
        x = parameter[i]
        g = grad[i] + decay * x
        m = first[i] + fresh_first * (g - first[i])
        v = second[i] + fresh_second * (g * g - second[i])
        first[i] = m
        second[i] = v
        if largest.size > 0:
            v = max(largest[i], v)
            largest[i] = v
        parameter[i] = keep * x - step_size * m / (math.sqrt(v) * root_scale + eps)


__all__ = ["adam"]
