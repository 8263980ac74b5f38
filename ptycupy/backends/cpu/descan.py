"""A phase ramp on every exit wave, which moves its pattern on the detector."""

from __future__ import annotations

import math

from numba import prange

from ptycupy.backends.cpu.jit import jit, jit_parallel
from ptycupy.backends.cpu.scalar import sincos
from ptycupy.backends.interface import Array


@jit
def _ramp(ramp: Array, cycles: float) -> None:
    """ramp[k] = exp(2 pi i cycles (k - count // 2))."""
    middle = ramp.size // 2
    for k in range(ramp.size):
        sine, cosine = sincos(2 * math.pi * cycles * (k - middle))
        ramp[k] = complex(cosine, sine)


@jit_parallel
def ramps(ramp_y: Array, ramp_x: Array, descan: Array, per_y: float, per_x: float) -> None:
    """ramp_y [n, y] and ramp_x [n, x] of descan [n, 2]; per is 1 / period."""
    for i in prange(descan.shape[0]):
        _ramp(ramp_y[i], per_y * descan[i, 0])
        _ramp(ramp_x[i], per_x * descan[i, 1])


@jit
def _forward(ramped: Array, wave: Array, ramp_y: Array, ramp_x: Array) -> None:
    height, width = wave.shape
    for y in range(height):
        for x in range(width):
            ramped[y, x] = wave[y, x] * (ramp_y[y] * ramp_x[x])


@jit
def _backward(sums: Array, grad: Array, wave: Array, ramp_y: Array, ramp_x: Array) -> None:
    height, width = wave.shape
    along_y, along_x = 0.0, 0.0
    for y in range(height):
        row_y, row_x = 0.0, 0.0
        for x in range(width):
            value = grad[y, x] * (ramp_y[y] * ramp_x[x]).conjugate()
            grad[y, x] = value
            pull = float(wave[y, x].real * value.imag - wave[y, x].imag * value.real)
            row_y += pull
            row_x += pull * (x - width // 2)
        along_y += row_y * (y - height // 2)
        along_x += row_x
    sums[0] = along_y
    sums[1] = along_x


@jit_parallel
def forward(ramped: Array, waves: Array, ramp_y: Array, ramp_x: Array) -> None:
    """ramped [n, m, y, x] = waves * ramp."""
    modes = waves.shape[1]
    for k in prange(waves.shape[0] * modes):
        i, m = k // modes, k % modes
        _forward(ramped[i, m], waves[i, m], ramp_y[i], ramp_x[i])


@jit_parallel
def backward(sums: Array, grad: Array, waves: Array, ramp_y: Array, ramp_x: Array) -> None:
    """grad [n, m, y, x] *= conj(ramp); sums [n, m, 2] = sum of (y, x) Im(conj(waves) grad), from the middle."""
    modes = waves.shape[1]
    for k in prange(waves.shape[0] * modes):
        i, m = k // modes, k % modes
        _backward(sums[i, m], grad[i, m], waves[i, m], ramp_y[i], ramp_x[i])


__all__ = ["backward", "forward", "ramps"]
