"""measured = packed counts times their scale, padded, zero frequency moved to the corner, -1 where nothing counts."""

from __future__ import annotations

import numpy as np
from numba import prange

from ptycupy.backends.cpu.jit import jit, jit_parallel
from ptycupy.backends.interface import Array


@jit
def code(words: Array, pixel: int, bits: int) -> int:
    """The code of a pixel in the words of its pattern."""
    if bits == 0:
        return 0
    bit = pixel * bits
    found: int = (np.int64(words[bit >> 5]) >> (bit & 31)) & ((1 << bits) - 1)
    return found


@jit
def first_entry(numbers: Array, first: int, last: int, pixel: int) -> int:
    """The first of the ascending numbers[first:last] that is not before `pixel`."""
    while first < last:
        middle = (first + last) // 2
        if np.int64(numbers[middle]) < pixel:
            first = middle + 1
        else:
            last = middle
    return first


@jit_parallel
def packed_patterns(
    measured: Array,
    words: Array,
    offsets: Array,
    numbers: Array,
    extras: Array,
    bits: int,
    stored_height: int,
    stored_width: int,
    indices: Array,
    scale: Array,
    mask: Array,
    used: Array,
    background: Array,
) -> None:
    """measured [n, Y, X] of `indices`: row by row first the codes [N, W], then the entries of a row's pixels.

    The background [Y, X], in corner order, is read only where measured is larger than stored.
    """
    count, height, width = measured.shape
    top = height // 2 - stored_height // 2
    left = width // 2 - stored_width // 2
    for item in prange(count * height):
        i, y = item // height, item % height
        index = indices[i]
        factor, row, counts = scale[index], (y + height // 2) % height - top, used[index] != 0
        inside = 0 <= row < stored_height
        for half in range(2):  # the centred columns from width // 2 on come first in corner order
            start, stop, offset = (0, width - width // 2, width // 2)
            if half == 1:
                start, stop, offset = width - width // 2, width, width // 2 - width
            for x in range(start, stop):
                column = x + offset - left
                if inside and 0 <= column < stored_width:
                    found = code(words[index], row * stored_width + column, bits) if bits > 0 else 0
                    result = measured.dtype.type(found) * factor
                else:
                    result = background[y, x]
                measured[i, y, x] = result if counts and result < np.inf and mask[y, x] != 0 else -1
        if not (inside and counts):
            continue
        end = np.int64(offsets[index + 1])
        entry = first_entry(numbers, np.int64(offsets[index]), end, row * stored_width)
        while entry < end and numbers[entry] < (row + 1) * stored_width:
            pixel = np.int64(numbers[entry])
            total = code(words[index], pixel, bits) if bits > 0 else 0
            while entry < end and numbers[entry] == pixel:
                total += np.int64(extras[entry])
                entry += 1
            x = (pixel - row * stored_width + left + width - width // 2) % width
            result = measured.dtype.type(total) * factor
            if result < np.inf and mask[y, x] != 0:
                measured[i, y, x] = result


__all__ = ["packed_patterns"]
