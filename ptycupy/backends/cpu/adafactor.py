"""Pieces of a step of Adafactor (Shazeer and Stern 2018) as torch.optim.Adafactor takes it."""

from __future__ import annotations

import math

from numba import prange

from ptycupy.backends.cpu.jit import jit_parallel
from ptycupy.backends.interface import Array


@jit_parallel
def row_means(rows: Array, grad: Array, fresh: float) -> None:
    """rows [b, r] += fresh (mean over columns of grad [b, r, c]^2 - rows)."""
    matrices, height, width = grad.shape
    for item in prange(matrices * height):
        matrix, row = item // height, item % height
        total = 0.0
        for c in range(width):
            total += float(grad[matrix, row, c]) * float(grad[matrix, row, c])
        rows[matrix, row] += fresh * (total / width - rows[matrix, row])


@jit_parallel
def column_means(columns: Array, grad: Array, fresh: float) -> None:
    """columns [b, c] += fresh (mean over rows of grad [b, r, c]^2 - columns)."""
    matrices, height, width = grad.shape
    for item in prange(matrices * width):
        matrix, column = item // width, item % width
        total = 0.0
        for r in range(height):
            total += float(grad[matrix, r, column]) * float(grad[matrix, r, column])
        columns[matrix, column] += fresh * (total / height - columns[matrix, column])


@jit_parallel
def factored(update: Array, grad: Array, rows: Array, columns: Array, means: Array, eps1: float) -> None:
    """update [b, r, c] = grad / sqrt(max(rows columns / max(means, eps1), eps1^2))."""
    matrices, height, width = grad.shape
    for item in prange(matrices * height):
        matrix, row = item // height, item % height
        scale = float(rows[matrix, row]) / max(float(means[matrix]), eps1)
        for c in range(width):
            update[matrix, row, c] = grad[matrix, row, c] / math.sqrt(max(scale * columns[matrix, c], eps1 * eps1))


@jit_parallel
def dense(update: Array, grad: Array, variance: Array, fresh: float, eps1: float) -> None:
    """variance += fresh (grad^2 - variance), update = grad / sqrt(max(variance, eps1^2)); flat."""
    for i in prange(grad.size):
        variance[i] += fresh * (grad[i] * grad[i] - variance[i])
        update[i] = grad[i] / math.sqrt(max(float(variance[i]), eps1 * eps1))


__all__ = ["column_means", "dense", "factored", "row_means"]
