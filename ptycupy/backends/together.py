"""Several small arrays in one download: each would wait for the device by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.backends.interface import Array, Backend

ALIGNMENT = 16  # bytes, of the largest number that an array may hold


def to_host_together(backend: Backend, arrays: Sequence[Array]) -> list[NDArray[Any]]:
    """NumPy arrays with the values of these, which are copied into one block of scratch first."""
    starts, end = [], 0
    for array in arrays:
        starts.append(end)
        end += -(-int(array.nbytes) // ALIGNMENT) * ALIGNMENT

    def part(block: Array, start: int, like: Array) -> Array:
        return block[start : start + like.nbytes].view(like.dtype).reshape(like.shape)

    with backend.arena():
        block = backend.empty((end,), np.uint8)
        for start, array in zip(starts, arrays, strict=True):
            if array.nbytes:
                backend.copy(part(block, start, array), array)
        host = np.array(backend.to_host(block))
    return [part(host, start, array) for start, array in zip(starts, arrays, strict=True)]


__all__ = ["to_host_together"]
