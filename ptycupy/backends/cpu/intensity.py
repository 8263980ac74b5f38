"""intensity = sum_o occupancy[o] sum_p |waves|^2 + 1e-10."""

from __future__ import annotations

from numba import prange

from ptycupy.backends.cpu.jit import jit_parallel
from ptycupy.backends.interface import Array

FLOOR = 1e-10  # PtyRAD's eps; keeps the square root differentiable, and the data losses never look at less


@jit_parallel
def forward(intensity: Array, waves: Array, occupancy: Array) -> None:
    """intensity [n, y, x] from waves [n, o, p, y, x]."""
    patterns, states, modes, height, width = waves.shape
    for item in prange(patterns * height):
        i, y = item // height, item % height
        for x in range(width):
            intensity[i, y, x] = FLOOR
        for o in range(states):
            for p in range(modes):
                for x in range(width):
                    wave = waves[i, o, p, y, x]
                    intensity[i, y, x] += occupancy[o] * (wave.real * wave.real + wave.imag * wave.imag)


@jit_parallel
def backward(waves: Array, grad_intensity: Array, twice_occupancy: Array) -> None:
    """waves *= 2 occupancy[o] grad_intensity."""
    patterns, states, modes, height, width = waves.shape
    for item in prange(patterns * height):
        i, y = item // height, item % height
        for o in range(states):
            for p in range(modes):
                for x in range(width):
                    waves[i, o, p, y, x] *= twice_occupancy[o] * grad_intensity[i, y, x]


__all__ = ["FLOOR", "backward", "forward"]
