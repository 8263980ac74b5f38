"""The loss on position-averaged patterns, sqrt(mean_k (Ibar^p - Mbar^p)^2) / mean(M^p)."""

from __future__ import annotations

import numpy as np
from numba import prange

from ptycupy.backends.cpu.intensity import FLOOR
from ptycupy.backends.cpu.jit import jit, jit_parallel
from ptycupy.backends.cpu.scalar import BLOCK, block_count, raised
from ptycupy.backends.interface import Array


@jit_parallel
def statistics(sums: Array, scalars: Array, intensity: Array, measured: Array, power: float, kind: int) -> None:
    """sums [3, K] of I, M and counts, scalars [blocks, 2] of M^p and counts; intensity and measured [n, K]."""
    patterns, pixels = intensity.shape
    for block in prange(scalars.shape[0]):
        total, count = 0.0, 0.0
        for i in range(patterns):
            for k in range(block * BLOCK, min((block + 1) * BLOCK, pixels)):
                if measured[i, k] >= 0:
                    sums[0, k] += intensity[i, k]
                    sums[1, k] += measured[i, k]
                    sums[2, k] += 1
                    total += float(raised(measured[i, k], power, kind))
                    count += 1
        scalars[block, 0] = total
        scalars[block, 1] = count


@jit
def _mean_square(sums: Array, power: float, kind: int) -> float:
    """Mean over the counted pixels of (Ibar^p - Mbar^p)^2."""
    total, counted = 0.0, 0
    for k in range(sums.shape[1]):
        count = sums[2, k]
        if count > 0:
            modelled = raised(max(sums[0, k] / count, FLOOR), power, kind)
            total += (modelled - raised(sums[1, k] / count, power, kind)) ** 2
            counted += 1
    return total / max(counted, 1)


def value(statistics: Array, power: float, kind: int) -> Array:
    """[the loss]; 0 where nothing was counted or measured."""
    data, count = float(statistics[-2]), float(statistics[-1])
    if data == 0:
        return np.zeros(1)
    mean_square = _mean_square(statistics[:-2].reshape(3, -1), power, kind)
    return np.array([mean_square**0.5 / (data / count)])


@jit_parallel
def _pixel_gradient(pixel: Array, sums: Array, power: float, kind: int, factor: float) -> None:
    for block in prange(block_count(pixel.size)):
        for k in range(block * BLOCK, min((block + 1) * BLOCK, pixel.size)):
            count = max(sums[2, k], 1.0)
            floored = max(sums[0, k] / count, FLOOR)
            modelled = raised(floored, power, kind)
            pixel[k] = factor * (modelled - raised(sums[1, k] / count, power, kind)) * (modelled / floored) / count


@jit_parallel
def _spread(grad: Array, pixel: Array, measured: Array) -> None:
    for i in prange(grad.shape[0]):
        for k in range(pixel.size):
            grad[i, k] = pixel[k] if measured[i, k] >= 0 else 0


def gradient(
    grad: Array, pixel: Array, measured: Array, power: float, kind: int, statistics: Array, value: float, factor: float
) -> None:
    """grad [n, K] = factor * dL/dI where counted, else 0; pixel [K] is scratch."""
    sums = statistics[:-2].reshape(3, -1)
    outer = 0.0
    if value != 0:
        mean = float(statistics[-2]) / float(statistics[-1])
        counted = np.count_nonzero(sums[2])
        outer = factor * power / (counted * (value * mean) * mean)
    _pixel_gradient(pixel, sums, power, kind, outer)
    _spread(grad, pixel, measured)


__all__ = ["gradient", "statistics", "value"]
