"""out[a, i, b] = sum_t weights[i, t] values[a, indices[i, t], b]."""

from __future__ import annotations

from numba import prange

from ptycupy.backends.cpu.jit import jit, jit_parallel
from ptycupy.backends.cpu.scalar import BLOCK, block_count
from ptycupy.backends.interface import Array


@jit
def _add_multiple(total: Array, values: Array, factor: float) -> None:
    for b in range(total.size):
        total[b] += factor * values[b]


@jit_parallel
def across(out: Array, values: Array, indices: Array, weights: Array) -> None:
    """The filter where other axes follow: the taps are added to whole stretches of b."""
    outer, rows, inner = out.shape
    blocks = block_count(inner)
    for item in prange(outer * rows * blocks):
        a, i = item // (rows * blocks), item // blocks % rows
        start = item % blocks * BLOCK
        stop = min(start + BLOCK, inner)
        total = out[a, i, start:stop]
        for b in range(total.size):
            total[b] = 0
        for t in range(weights.shape[1]):
            weight = weights[i, t]
            if weight != 0:
                _add_multiple(total, values[a, indices[i, t], start:stop], weight)


@jit_parallel
def along(out: Array, values: Array, indices: Array, weights: Array) -> None:
    """The filter along the last axis; out [a, k], values [a, m]."""
    outer, rows = out.shape
    for a in prange(outer):
        for i in range(rows):
            out[a, i] = 0
            for t in range(weights.shape[1]):
                out[a, i] += weights[i, t] * values[a, indices[i, t]]


__all__ = ["across", "along"]
