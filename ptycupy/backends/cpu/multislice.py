"""What happens to one wave between the transforms of the multislice chain; every array is one window [y, x]."""

from __future__ import annotations

from ptycupy.backends.cpu.jit import jit
from ptycupy.backends.interface import Array


@jit
def transmit(wave: Array, factor: Array) -> None:
    """wave *= factor."""
    height, width = wave.shape
    for y in range(height):
        row, along = wave[y], factor[y]
        for x in range(width):
            row[x] *= along[x]


@jit
def transmit_conjugate(wave: Array, factor: Array) -> None:
    """wave *= conj(factor)."""
    height, width = wave.shape
    for y in range(height):
        row, along = wave[y], factor[y]
        for x in range(width):
            row[x] *= along[x].conjugate()


@jit
def put_overlap(total: Array, entry: Array, grad: Array, first: bool) -> None:
    """total = conj(entry) grad where `first`, else += it."""
    height, width = grad.shape
    for y in range(height):
        target, left, right = total[y], entry[y], grad[y]
        if first:
            for x in range(width):
                target[x] = left[x].conjugate() * right[x]
        else:
            for x in range(width):
                target[x] += left[x].conjugate() * right[x]


@jit
def put(target: Array, wave: Array, first: bool) -> None:
    """target = wave where `first`, else += it."""
    height, width = wave.shape
    for y in range(height):
        row, source = target[y], wave[y]
        if first:
            for x in range(width):
                row[x] = source[x]
        else:
            for x in range(width):
                row[x] += source[x]


__all__ = ["put", "put_overlap", "transmit", "transmit_conjugate"]
