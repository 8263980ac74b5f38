"""The n-th largest of numbers that lie on many ranks, found by counting."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

DIGIT = 16  # bits that are settled at once
Sum = Callable[[NDArray[np.float64]], NDArray[np.float64]]  # over the ranks


def nth_largest(values: NDArray[np.floating], rank: int, summed: Sum) -> float:
    """The `rank`-th largest, from 1, of all ranks' values [n] together, exactly.

    Digit by digit from the highest, each from how many values have it: 2^16 counts are all that travels. The bits of
    a floating-point number, with the sign turned, or all of a negative one, are a whole number that sorts as it does.
    """
    kind = np.dtype(f"u{values.dtype.itemsize}")
    width = 8 * kind.itemsize
    bits = np.ascontiguousarray(values).view(kind)
    top = kind.type(1 << (width - 1))
    left = np.where(bits & top, ~bits, bits | top)
    found = 0
    for shift in range(width - DIGIT, -1, -DIGIT):
        digits = ((left >> kind.type(shift)) & kind.type((1 << DIGIT) - 1)).astype(np.int64)
        counts = summed(np.bincount(digits, minlength=1 << DIGIT).astype(np.float64))
        at_least = np.cumsum(counts[::-1])[::-1]  # how many have this digit or a higher one
        digit = int(np.flatnonzero(at_least >= rank)[-1])
        rank -= int(at_least[digit] - counts[digit])
        left = left[digits == digit]
        found |= digit << shift
    number = np.array(found, kind)
    whole = number ^ top if number & top else ~number
    return float(np.asarray(whole, kind).view(values.dtype))


__all__ = ["nth_largest"]
