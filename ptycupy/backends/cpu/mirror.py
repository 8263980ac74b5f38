"""Amplitude as a function of the phase."""

from __future__ import annotations

from numba import prange

from ptycupy.backends.cpu.jit import jit_parallel
from ptycupy.backends.interface import Array


@jit_parallel
def mirror(amplitude: Array, phase: Array, scale: float, power: float, relax: float) -> None:
    """amplitude = relax amplitude + (1 - relax) (1 - scale max(phase, 0)^power); flat."""
    for i in prange(phase.size):
        angle = 0.0 if phase[i] < 0 else phase[i]
        amplitude[i] = relax * amplitude[i] + (1 - relax) * (1 - scale * angle**power)


__all__ = ["mirror"]
