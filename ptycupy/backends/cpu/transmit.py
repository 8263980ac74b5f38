"""exits = waves * transmission at the windows."""

from __future__ import annotations

from numba import prange

from ptycupy.backends.cpu.jit import jit_parallel
from ptycupy.backends.interface import Array


@jit_parallel
def forward(exits: Array, waves: Array, transmission: Array, slice_index: int, corners: Array, indices: Array) -> None:
    """exits[i, o, p] = waves[i, o or 0, p] * transmission[o, slice] at window i."""
    patterns, states, modes, height, width = exits.shape
    for item in prange(patterns * height):
        i, y = item // height, item % height
        row, left = corners[indices[i], 0] + y, corners[indices[i], 1]
        for o in range(states):
            source = o if waves.shape[1] > 1 else 0
            for p in range(modes):
                for x in range(width):
                    exits[i, o, p, y, x] = waves[i, source, p, y, x] * transmission[o, slice_index, row, left + x]


@jit_parallel
def backward(
    grad_waves: Array,
    grad_transmission: Array,
    grad_exits: Array,
    waves: Array,
    transmission: Array,
    slice_index: int,
    corners: Array,
    indices: Array,
    bands: Array,
    wants_waves: bool,
    wants_transmission: bool,
) -> None:
    """grad_waves = conj(T) grad_exits (summed over o where waves had one), grad_transmission += conj(waves) grad_exits.

    grad_waves may be grad_exits itself where they have the same shape. Divided by canvas rows.
    """
    patterns, states, modes, height, width = grad_exits.shape
    for band in prange(bands.size - 1):
        for row in range(bands[band], bands[band + 1]):
            for i in range(patterns):
                y, left = row - corners[indices[i], 0], corners[indices[i], 1]
                if y < 0 or y >= height:
                    continue
                for o in range(states):
                    source = o if waves.shape[1] > 1 else 0
                    if wants_transmission:
                        for p in range(modes):
                            for x in range(width):
                                wave = waves[i, source, p, y, x].conjugate()
                                grad_transmission[o, slice_index, row, left + x] += wave * grad_exits[i, o, p, y, x]
                    if not wants_waves:
                        continue
                    for p in range(modes):
                        if o > source:
                            for x in range(width):
                                factor = transmission[o, slice_index, row, left + x].conjugate()
                                grad_waves[i, source, p, y, x] += factor * grad_exits[i, o, p, y, x]
                        else:
                            for x in range(width):
                                factor = transmission[o, slice_index, row, left + x].conjugate()
                                grad_waves[i, source, p, y, x] = factor * grad_exits[i, o, p, y, x]


__all__ = ["backward", "forward"]
