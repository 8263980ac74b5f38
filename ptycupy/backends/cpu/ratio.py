"""A fixed ratio of absorption and phase: ln a = -C phi."""

from __future__ import annotations

import math

from numba import prange

from ptycupy.backends.cpu.jit import jit, jit_parallel
from ptycupy.backends.cpu.scalar import BLOCK
from ptycupy.backends.interface import Array

LEAST_AMPLITUDE = 1e-8  # whose logarithm is still finite


@jit
def _logarithm(amplitude: float) -> float:
    return math.log(amplitude if amplitude > LEAST_AMPLITUDE else LEAST_AMPLITUDE)


@jit_parallel
def sums(sums: Array, amplitude: Array, phase: Array) -> None:
    """sums [blocks, 2] of |ln amplitude| and |phase|; flat."""
    for block in prange(len(sums)):
        absorption, angle = 0.0, 0.0
        for i in range(block * BLOCK, min((block + 1) * BLOCK, phase.size)):
            absorption += abs(_logarithm(amplitude[i]))
            angle += abs(float(phase[i]))
        sums[block, 0] = absorption
        sums[block, 1] = angle


@jit_parallel
def apply(
    new_amplitude: Array, new_phase: Array, amplitude: Array, phase: Array, ratio: float, alpha1: float, alpha2: float
) -> None:
    """new_amplitude = exp((1 - alpha1) ln a - alpha1 ratio phi) and
    new_phase = (1 - alpha2) phi - alpha2 ln a / (ratio + 1e-8); flat, may be the old ones."""
    for i in prange(phase.size):
        absorption, angle = _logarithm(amplitude[i]), phase[i]
        new_amplitude[i] = math.exp((1 - alpha1) * absorption - alpha1 * ratio * angle)
        new_phase[i] = (1 - alpha2) * angle - alpha2 * absorption / (ratio + 1e-8)


__all__ = ["apply", "sums"]
