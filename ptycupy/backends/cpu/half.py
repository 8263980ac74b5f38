"""Waves in half precision, each with a power of two of its own. NumPy: no compiled loop here reads float16."""

from __future__ import annotations

import numpy as np

from ptycupy.backends.interface import Array

LEAST_EXPONENT = -126  # of a normal float32


def encode(halves: Array, scales: Array, components: Array) -> None:
    """halves [..., y, x, 2] float16 = components / scales [...], the largest of each wave in 2^14..2^15."""
    largest = np.fmax.reduce(np.abs(components), axis=(-3, -2, -1), initial=0)
    usable = (largest > 0) & np.isfinite(largest)
    exponents = np.maximum(np.frexp(np.where(usable, largest, 1))[1] - 15, LEAST_EXPONENT)
    scales[...] = np.where(usable, np.ldexp(1.0, exponents), 1)
    with np.errstate(over="ignore"):  # only beside infinity, where nothing is scaled
        halves[...] = components / scales[..., None, None, None]


def decode(components: Array, halves: Array, scales: Array) -> None:
    """components [..., y, x, 2] = halves * scales."""
    np.multiply(halves, scales[..., None, None, None], out=components, dtype=components.dtype)


__all__ = ["decode", "encode"]
