"""The sparsity term sum_o occupancy[o] (mean coverage |phase|^order)^(1/order)."""

from __future__ import annotations

import numpy as np
from numba import prange

from ptycupy.backends.cpu.jit import jit_parallel
from ptycupy.backends.interface import Array


@jit_parallel
def statistics(sums: Array, phase: Array, coverage: Array, order: int) -> None:
    """sums [o, z Y]: per row the sum over X of coverage |phase|^order."""
    states, slices, height, width = phase.shape
    for item in prange(states * slices * height):
        o, z, y = item // (slices * height), item // height % slices, item % height
        total = 0.0
        for x in range(width):
            size = float(abs(phase[o, z, y, x]))
            total += coverage[y, x] * (size if order == 1 else size**order)
        sums[o, z * height + y] = total


def value(statistics: Array, occupancy: Array, count: int, order: int) -> Array:
    """[the term]."""
    return np.array([np.sum(occupancy.astype(np.float64) * (statistics / count) ** (1 / order))])


def outer_factors(statistics: Array, occupancy: Array, count: int, order: int, factor: float) -> Array:
    """[o] what multiplies coverage |phase|^(order-1) sign(phase) in the gradient; 0 where a state has no phase."""
    mean = np.where(statistics > 0, statistics, 1.0) / count
    outer = factor * occupancy.astype(np.float64) * mean ** (1 / order - 1) / count
    return np.where(statistics > 0, outer, 0.0)


@jit_parallel
def gradient(grad_phase: Array, phase: Array, coverage: Array, order: int, outer: Array) -> None:
    """grad_phase += outer[o] coverage |phase|^(order-1) sign(phase)."""
    states, slices, height, width = phase.shape
    for item in prange(states * slices * height):
        o, z, y = item // (slices * height), item // height % slices, item % height
        for x in range(width):
            here = float(phase[o, z, y, x])
            sign = 1.0 if here > 0 else (-1.0 if here < 0 else 0.0)
            slope = sign if order == 1 else sign * abs(here) ** (order - 1)
            grad_phase[o, z, y, x] += outer[o] * coverage[y, x] * slope


__all__ = ["gradient", "outer_factors", "statistics", "value"]
