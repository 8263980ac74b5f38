"""Products of spectra, or waves, with real weights."""

from __future__ import annotations

import math

from numba import prange

from ptycupy.backends.cpu.jit import jit_parallel
from ptycupy.backends.cpu.shift import frequency
from ptycupy.backends.interface import Array


@jit_parallel
def multiply(waves: Array, mask: Array) -> None:
    """waves [rows, size] *= mask [size]."""
    rows, size = waves.shape
    for k in prange(size):
        for row in range(rows):
            waves[row, k] *= mask[k]


@jit_parallel
def wedge(spectra: Array, depth: Array, alpha: float, beta: float) -> None:
    """spectra [o, z, Y, X] *= (1 - 2/pi atan((beta depth)^2 / (k^2 + 1e-3))) exp(-alpha k^2), k in cycles per px."""
    modes, slices, height, width = spectra.shape
    for line in prange(slices * height):
        z, y = line // height, line % height
        rise = (beta * depth[z]) ** 2
        row = frequency(y, height) ** 2
        for x in range(width):
            squared = row + frequency(x, width) ** 2
            weight = (1 - 2 / math.pi * math.atan(rise / (squared + 1e-3))) * math.exp(-alpha * squared)
            for mode in range(modes):
                spectra[mode, z, y, x] *= weight


__all__ = ["multiply", "wedge"]
