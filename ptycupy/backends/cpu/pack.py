"""Real arrays as complex ones and back."""

from __future__ import annotations

from numba import prange

from ptycupy.backends.cpu.jit import jit_parallel
from ptycupy.backends.interface import Array


@jit_parallel
def forward(waves: Array, values: Array) -> None:
    """waves = values; flat."""
    for i in prange(values.size):
        waves[i] = values[i]


@jit_parallel
def backward(values: Array, waves: Array) -> None:
    """values = Re(waves); flat."""
    for i in prange(values.size):
        values[i] = waves[i].real


__all__ = ["backward", "forward"]
