"""exits = waves * transmission at the windows."""

from __future__ import annotations

from numba import prange

from ptycupy.backends.cpu.jit import jit, jit_parallel
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
            stretch = transmission[o, slice_index, row, left : left + width]
            for p in range(modes):
                for x in range(width):
                    exits[i, o, p, y, x] = waves[i, source, p, y, x] * stretch[x]


@jit
def _add_conjugate_product(total: Array, wave: Array, grad: Array) -> None:
    for x in range(total.size):
        total[x] += wave[x].conjugate() * grad[x]


@jit
def _times_conjugate(grad: Array, factor: Array) -> None:
    for x in range(grad.size):
        grad[x] *= factor[x].conjugate()


@jit
def _put_or_add_conjugate_product(result: Array, grad: Array, factor: Array, add: bool) -> None:
    for x in range(result.size):
        product = grad[x] * factor[x].conjugate()
        result[x] = result[x] + product if add else product


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
    in_place: bool,
    wants_waves: bool,
    wants_transmission: bool,
) -> None:
    """grad_waves = conj(T) grad_exits (summed over o where waves had one), grad_transmission += conj(waves) grad_exits.

    in_place: grad_exits itself becomes grad_waves, in a loop of its own because compilers vectorise no loop whose
    arrays may overlap. Divided by canvas rows.
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
                    stretch = transmission[o, slice_index, row, left : left + width]
                    total = grad_transmission[o, slice_index, row, left : left + width]
                    for p in range(modes):
                        grad = grad_exits[i, o, p, y]
                        if wants_transmission:
                            _add_conjugate_product(total, waves[i, source, p, y], grad)
                        if in_place:
                            _times_conjugate(grad, stretch)
                        elif wants_waves:
                            _put_or_add_conjugate_product(grad_waves[i, source, p, y], grad, stretch, o > source)


__all__ = ["backward", "forward"]
