"""Small values set to zero."""

from __future__ import annotations

from numba import prange

from ptycupy.backends.cpu.jit import jit_parallel
from ptycupy.backends.interface import Array


@jit_parallel
def suppress(values: Array, least: float) -> None:
    """values = 0 where |values| < least; flat."""
    for i in prange(values.size):
        if abs(values[i]) < least:
            values[i] = 0


__all__ = ["suppress"]
