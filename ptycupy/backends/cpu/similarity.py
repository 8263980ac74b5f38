"""The sum of the unbiased standard deviation over o of occupancy[o] patches[n, o, z, y, x]."""

from __future__ import annotations

import math

from numba import prange

from ptycupy.backends.cpu.jit import jit, jit_parallel
from ptycupy.backends.cpu.scalar import BLOCK
from ptycupy.backends.interface import Array


@jit
def _mean_and_deviation(patches: Array, occupancy: Array, i: int, k: int) -> tuple[float, float]:
    states = patches.shape[1]
    mean = 0.0
    for o in range(states):
        mean += float(occupancy[o]) * patches[i, o, k]
    mean /= states
    total = 0.0
    for o in range(states):
        total += (float(occupancy[o]) * patches[i, o, k] - mean) ** 2
    return mean, math.sqrt(total / (states - 1))


@jit_parallel
def statistics(sums: Array, patches: Array, occupancy: Array) -> None:
    """sums [n, blocks of K]; patches [n, o, K] with o > 1."""
    patterns, _, size = patches.shape
    blocks = sums.shape[1]
    for item in prange(patterns * blocks):
        i, block = item // blocks, item % blocks
        total = 0.0
        for k in range(block * BLOCK, min((block + 1) * BLOCK, size)):
            total += _mean_and_deviation(patches, occupancy, i, k)[1]
        sums[i, block] = total


@jit_parallel
def gradient(grad: Array, patches: Array, occupancy: Array, factor: float) -> None:
    """grad = factor occupancy[o] (occupancy[o] patches - mean) / ((o - 1) deviation), 0 where there is none."""
    patterns, states, size = patches.shape
    for item in prange(patterns * ((size + BLOCK - 1) // BLOCK)):
        i, block = item % patterns, item // patterns
        for k in range(block * BLOCK, min((block + 1) * BLOCK, size)):
            mean, deviation = _mean_and_deviation(patches, occupancy, i, k)
            outer = factor / ((states - 1) * deviation) if deviation > 0 else 0.0
            for o in range(states):
                weight = float(occupancy[o])
                grad[i, o, k] = outer * weight * (weight * patches[i, o, k] - mean)


__all__ = ["gradient", "statistics"]
