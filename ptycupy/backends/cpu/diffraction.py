"""Around `chain`: planar arrays, and what becomes of the gradients that it leaves."""

from __future__ import annotations

from numba import prange

from ptycupy.backends.cpu import wave_ends as ends
from ptycupy.backends.cpu.jit import jit, jit_parallel
from ptycupy.backends.cpu.lanes import LANES
from ptycupy.backends.interface import Array


def size(n: int) -> tuple[int, ...]:
    """n as `lanes.emitted` takes it."""
    return (0,) * (n.bit_length() - 1)


@jit_parallel
def columnar(target: Array, source: Array, scale: float) -> None:
    """target [k, x / LANES, y, 2 LANES] = scale * source [k, y, x], LANES real parts before LANES imaginary ones."""
    planes, height, width = source.shape
    for item in prange(planes * height):
        k, y = item // height, item % height
        for x in range(width):
            value = source[k, y, x] * scale
            target[k, x // LANES, y, x % LANES] = value.real
            target[k, x // LANES, y, x % LANES + LANES] = value.imag


@jit
def pairs(target: Array, source: Array) -> None:
    """target [k, y, x] = source [k, y, 2 x or more], planar."""
    planes, height, width = target.shape
    for k in range(planes):
        for y in range(height):
            for x in range(width):
                place = x // LANES * (2 * LANES) + x % LANES
                target[k, y, x] = complex(source[k, y, place], source[k, y, place + LANES])


@jit_parallel
def scatter(
    grad_transmission: Array,
    pulls: Array,
    factor: float,
    corners: Array,
    indices: Array,
    bands: Array,
    width: tuple[int, ...],
) -> None:
    """grad_transmission [o, z, Y, X] += factor * pulls [n, o, parts, z, y, 2 x] summed over parts. Divided by canvas
    rows."""
    patterns, states, parts, slices, rows, length = pulls.shape
    canvas_height, canvas_width = grad_transmission.shape[2:]
    for band in prange(bands.size - 1):
        for row in range(bands[band], bands[band + 1]):
            for i in range(patterns):
                y, left = row - corners[indices[i], 0], corners[indices[i], 1]
                if y < 0 or y >= rows:
                    continue
                for o in range(states):
                    for s in range(slices):
                        target = 2 * (((o * slices + s) * canvas_height + row) * canvas_width + left)
                        place = (((i * states + o) * parts * slices + s) * rows + y) * length
                        apart = slices * rows * length
                        ends.add_rows(grad_transmission, target, pulls, place, 2 * LANES, parts, apart, factor, width)


@jit_parallel
def gather(grad_transfer: Array, pulls: Array, factor: float, width: tuple[int, ...]) -> None:
    """grad_transfer [g, 1 or n, y, x] += factor * pulls [n, g, x / LANES, y, 2 LANES], of every pattern or summed over
    them."""
    gaps, tilts, rows, columns = grad_transfer.shape
    plane, parts = 2 * rows * columns, pulls.shape[0] // tilts
    for item in prange(gaps * rows):
        g, y = item // rows, item % rows
        for t in range(tilts):
            target = (g * tilts + t) * plane + 2 * y * columns
            place = (t * gaps + g) * plane + 2 * y * LANES
            between = 2 * rows * LANES
            ends.add_rows(grad_transfer, target, pulls, place, between, parts, gaps * plane, factor, width)


__all__ = ["columnar", "gather", "pairs", "scatter", "size"]
