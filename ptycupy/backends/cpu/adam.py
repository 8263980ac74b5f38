"""One step of Adam (Kingma and Ba 2015) as torch.optim.Adam takes it."""

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
    grad: Array,
    fresh_first: float,
    fresh_second: float,
    step_size: float,
    root_correction: float,
    eps: float,
) -> None:
    """first += fresh_first (g - first), second += fresh_second (g^2 - second),
    parameter -= step_size first / (sqrt(second) root_correction + eps); flat real arrays."""
    for i in prange(parameter.size):
        g = grad[i]
        m = first[i] + fresh_first * (g - first[i])
        v = second[i] + fresh_second * (g * g - second[i])
        first[i] = m
        second[i] = v
        parameter[i] -= step_size * m / (math.sqrt(v) * root_correction + eps)


__all__ = ["adam"]
