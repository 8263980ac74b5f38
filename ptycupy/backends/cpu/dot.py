"""Sums over long vectors, the same for any number of threads."""

from __future__ import annotations

from numba import prange

from ptycupy.backends.cpu.jit import jit, jit_parallel
from ptycupy.backends.cpu.scalar import BLOCK
from ptycupy.backends.interface import Array


@jit
def _products(a: Array, b: Array) -> float:
    total = 0.0
    for i in range(a.size):
        total += float(a[i]) * float(b[i])
    return total


@jit_parallel
def dot(sums: Array, a: Array, b: Array) -> None:
    """sums [blocks] of a b; flat real arrays."""
    for block in prange(sums.size):
        start, end = block * BLOCK, min((block + 1) * BLOCK, a.size)
        sums[block] = _products(a[start:end], b[start:end])


__all__ = ["dot"]
