"""The sum of the unbiased standard deviation over o of occupancy[o] patches[n, o, z, y, x]."""

from __future__ import annotations

import math

from numba import prange

from ptycupy.backends.cpu.jit import jit_exact, jit_parallel
from ptycupy.backends.cpu.scalar import BLOCK
from ptycupy.backends.interface import Array


@jit_exact
def _away(patches: Array, occupancy: Array, i: int, o: int, k: int, middle: float) -> float:
    """occupancy[o] patches[o] - occupancy[0] patches[0] - middle."""
    first = float(occupancy[0]) * float(patches[i, 0, k])
    return (float(occupancy[o]) * float(patches[i, o, k]) - first) - middle


@jit_exact
def _middle_and_deviation(patches: Array, occupancy: Array, i: int, k: int) -> tuple[float, float]:
    """Mean over o relative to the first state, so that equal states deviate by exactly 0; and the deviation."""
    states = patches.shape[1]
    middle = 0.0
    for o in range(1, states):
        middle += _away(patches, occupancy, i, o, k, 0.0)
    middle /= states
    total = 0.0
    for o in range(states):
        total += _away(patches, occupancy, i, o, k, middle) ** 2
    return middle, math.sqrt(total / (states - 1))


@jit_parallel
def statistics(sums: Array, patches: Array, occupancy: Array) -> None:
    """sums [n, blocks of K]; patches [n, o, K] with o > 1."""
    patterns, _, size = patches.shape
    blocks = sums.shape[1]
    for item in prange(patterns * blocks):
        i, block = item // blocks, item % blocks
        total = 0.0
        for k in range(block * BLOCK, min((block + 1) * BLOCK, size)):
            total += _middle_and_deviation(patches, occupancy, i, k)[1]
        sums[i, block] = total


@jit_parallel
def gradient(grad: Array, patches: Array, occupancy: Array, factor: float) -> None:
    """grad = factor occupancy[o] (occupancy[o] patches - mean) / ((o - 1) deviation), 0 where there is none."""
    patterns, states, size = patches.shape
    for item in prange(patterns * ((size + BLOCK - 1) // BLOCK)):
        i, block = item % patterns, item // patterns
        for k in range(block * BLOCK, min((block + 1) * BLOCK, size)):
            middle, deviation = _middle_and_deviation(patches, occupancy, i, k)
            outer = factor / ((states - 1) * deviation) if deviation > 0 else 0.0
            for o in range(states):
                grad[i, o, k] = outer * float(occupancy[o]) * _away(patches, occupancy, i, o, k, middle)


__all__ = ["gradient", "statistics"]
