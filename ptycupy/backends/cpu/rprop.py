"""One step of resilient propagation (Riedmiller and Braun 1993) as torch.optim.Rprop takes it."""

from __future__ import annotations

from numba import prange

from ptycupy.backends.cpu.jit import jit_parallel
from ptycupy.backends.interface import Array


@jit_parallel
def rprop(
    parameter: Array,
    previous: Array,
    steps: Array,
    grad: Array,
    shrink: float,
    grow: float,
    least: float,
    most: float,
) -> None:
    """step = clip(step f, least, most), f = grow, shrink (and g = 0) or 1 by the sign of g previous;
    x -= sign(g) step."""
    for i in prange(parameter.size):
        g = grad[i]
        agreement = g * previous[i]
        step = steps[i]
        if agreement > 0:
            step *= grow
        elif agreement < 0:
            step *= shrink
            g -= g
        step = min(max(step, least), most)
        previous[i] = g
        steps[i] = step
        if g > 0:
            parameter[i] -= step
        elif g < 0:
            parameter[i] += step
        else:
            parameter[i] -= g


__all__ = ["rprop"]
