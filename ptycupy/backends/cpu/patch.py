"""patches = a real field at the windows."""

from __future__ import annotations

from numba import prange

from ptycupy.backends.cpu.jit import jit_parallel
from ptycupy.backends.interface import Array


@jit_parallel
def forward(patches: Array, field: Array, corners: Array, indices: Array) -> None:
    """patches [n, o, z, y, x] cut from field [o, z, Y, X]."""
    patterns, states, slices, height, width = patches.shape
    for item in prange(patterns * height):
        i, y = item // height, item % height
        row, left = corners[indices[i], 0] + y, corners[indices[i], 1]
        for o in range(states):
            for z in range(slices):
                stretch = field[o, z, row, left : left + width]
                for x in range(width):
                    patches[i, o, z, y, x] = stretch[x]


@jit_parallel
def backward(grad_field: Array, grad_patches: Array, corners: Array, indices: Array, bands: Array) -> None:
    """grad_field [o, z, Y, X] += grad_patches [n, o, z, y, x] at the windows. Divided by canvas rows."""
    patterns, states, slices, height, width = grad_patches.shape
    for band in prange(bands.size - 1):
        for row in range(bands[band], bands[band + 1]):
            for i in range(patterns):
                y, left = row - corners[indices[i], 0], corners[indices[i], 1]
                if y < 0 or y >= height:
                    continue
                for o in range(states):
                    for z in range(slices):
                        stretch = grad_field[o, z, row, left : left + width]
                        for x in range(width):
                            stretch[x] += grad_patches[i, o, z, y, x]


__all__ = ["backward", "forward"]
