"""Several small arrays in one download: each would wait for the device by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.backends.interface import Array, Backend

ALIGNMENT = 16  # bytes, of the largest number that an array may hold


def room_for(arrays: Sequence[Array]) -> int:
    """Bytes that a block must have for these."""
    return sum(-(-int(array.nbytes) // ALIGNMENT) * ALIGNMENT for array in arrays)


class Block:
    """Copies of arrays side by side in uint8 `memory`, with one download for all.

    What was put stays where it is until `begin`, so that a recording of the copies can be read again and again.
    """

    def __init__(self, memory: Array) -> None:
        self.memory = memory
        self._parts: list[tuple[int, tuple[int, ...], Any]] = []
        self._end = 0

    def begin(self) -> None:
        """Forgets what was put."""
        self._parts, self._end = [], 0

    def put(self, backend: Backend, array: Array) -> None:
        """Queues a copy of an array, as it is now."""
        part = (self._end, tuple(array.shape), array.dtype)
        if array.nbytes:
            backend.copy(_view(self.memory, *part), array)
        self._parts.append(part)
        self._end += room_for([array])

    def read(self, backend: Backend) -> list[NDArray[Any]]:
        """NumPy arrays with the values of all that was put, in order."""
        host = np.array(backend.to_host(self.memory[: self._end]))
        return [_view(host, *part) for part in self._parts]


def _view(block: Array, start: int, shape: tuple[int, ...], dtype: Any) -> Any:
    stop = start + np.dtype(dtype).itemsize * int(np.prod(shape))
    return block[start:stop].view(dtype).reshape(shape)


def to_host_together(backend: Backend, arrays: Sequence[Array]) -> list[NDArray[Any]]:
    """NumPy arrays with the values of these, which are copied into one block of scratch first."""
    with backend.arena():
        block = Block(backend.empty((room_for(arrays),), np.uint8))
        for array in arrays:
            block.put(backend, array)
        return block.read(backend)


__all__ = ["Block", "room_for", "to_host_together"]
