"""out[a, i, b] = sum_t weights[i, t] values[a, indices[i, t], b], or -1 where one of these does not count."""

from __future__ import annotations

from numba import prange

from ptycupy.backends.cpu.jit import jit_parallel
from ptycupy.backends.interface import Array


@jit_parallel
def counted_filter(out: Array, values: Array, indices: Array, weights: Array) -> None:
    """out [a, k, b] from values [a, m, b]; taps of weight 0 are not looked at."""
    outer, rows, inner = out.shape
    for item in prange(outer * rows):
        a, i = item // rows, item % rows
        for b in range(inner):
            out[a, i, b] = 0
        for t in range(weights.shape[1]):
            weight = weights[i, t]
            if weight == 0:
                continue
            for b in range(inner):
                value = values[a, indices[i, t], b]
                if value < 0:
                    out[a, i, b] = -1
                elif out[a, i, b] >= 0:
                    out[a, i, b] += weight * value


__all__ = ["counted_filter"]
