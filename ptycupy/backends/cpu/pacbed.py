"""The loss on position-averaged patterns, sqrt(mean_k (Ibar^p - Mbar^p)^2) / mean(M^p)."""

from __future__ import annotations

import numpy as np
from numba import prange

from ptycupy.backends.cpu.intensity import FLOOR
from ptycupy.backends.cpu.jit import jit, jit_parallel
from ptycupy.backends.cpu.scalar import BLOCK, at_least, raised
from ptycupy.backends.interface import Array


@jit
def _add_pattern(
    scalars: Array,
    modelled: Array,
    data: Array,
    counts: Array,
    intensity: Array,
    measured: Array,
    power: float,
    kind: int,
) -> None:
    zero = measured.dtype.type(0)
    total, count = 0.0, 0.0
    for k in range(intensity.size):
        counted = measured[k] >= zero
        one = 1.0 if counted else 0.0
        observed = at_least(measured[k], zero)
        modelled[k] += float(intensity[k]) if counted else 0.0
        data[k] += float(observed)
        counts[k] += one
        total += float(raised(observed, power, kind))
        count += one
    scalars[0] += total
    scalars[1] += count


@jit_parallel
def statistics(sums: Array, scalars: Array, intensity: Array, measured: Array, power: float, kind: int) -> None:
    """sums [3, K] += I, M and counts, scalars [blocks, 2] += M^p and counts; intensity and measured [n, K]."""
    patterns, pixels = intensity.shape
    for block in prange(len(scalars)):
        start, stop = block * BLOCK, min((block + 1) * BLOCK, pixels)
        modelled, data, counts = sums[0, start:stop], sums[1, start:stop], sums[2, start:stop]
        for i in range(patterns):
            arrays = (modelled, data, counts, intensity[i, start:stop], measured[i, start:stop])
            _add_pattern(scalars[block], *arrays, power, kind)


@jit
def _mean_square(sums: Array, power: float, kind: int) -> float:
    """Mean over the counted pixels of (Ibar^p - Mbar^p)^2."""
    total, counted = 0.0, 0
    for k in range(sums.shape[1]):
        count = sums[2, k]
        if count > 0:
            modelled = raised(at_least(sums[0, k] / count, FLOOR), power, kind)
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
    for k in prange(pixel.size):
        count = max(sums[2, k], 1.0)
        modelled = at_least(sums[0, k] / count, FLOOR)
        root = raised(modelled, power, kind)
        pixel[k] = factor * (root - raised(sums[1, k] / count, power, kind)) * (root / modelled) / count


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
