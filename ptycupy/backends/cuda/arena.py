"""Scratch memory that is handed out again: the same batch needs the same blocks every time."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from ptycupy.backends.cuda.device import Device, array_bytes
from ptycupy.backends.interface import Array
from ptycupy.errors import MemoryShortage

GRANULARITY = 512  # bytes; also keeps every array aligned
LARGEST_WASTE = 2  # a block is reused for a request of at least 1/2 of its size


class Arena:
    """Blocks of raw device memory, lent between `scope`s."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._idle: list[tuple[int, int, Array]] = []  # (bytes, serial, block), smallest first
        self._scopes: list[list[tuple[int, int, Array]]] = []
        self._serial = 0

    @contextmanager
    def scope(self) -> Iterator[None]:
        """While open, `empty` lends blocks; at the end they are idle again, or freed after an error."""
        lent: list[tuple[int, int, Array]] = []
        self._scopes.append(lent)
        try:
            yield
        except BaseException:
            self._scopes.pop()
            self.clear()  # what failed may have been an allocation: leave as much memory as possible
            raise
        self._scopes.pop()
        for block in lent:
            insort(self._idle, block, key=lambda entry: entry[:2])

    def empty(self, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        """An uninitialised array, from a lent block where a scope is open."""
        if not self._scopes:
            return self._device.alloc(shape, dtype)
        nbytes = array_bytes(shape, dtype)
        block = self._block(-(-max(nbytes, 1) // GRANULARITY) * GRANULARITY)
        self._scopes[-1].append(block)
        result: Any = block[2][:nbytes].view(np.dtype(dtype)).reshape(shape)
        return result

    def idle_bytes(self) -> int:
        """Memory of the blocks that wait for the next scope."""
        return sum(nbytes for nbytes, _, _ in self._idle)

    def clear(self) -> None:
        """Forgets the idle blocks; their memory goes back to the device's pool."""
        self._idle.clear()

    def _block(self, nbytes: int) -> tuple[int, int, Array]:
        for position, block in enumerate(self._idle):
            if block[0] >= nbytes:
                if block[0] <= LARGEST_WASTE * nbytes:
                    return self._idle.pop(position)
                break
        self._serial += 1
        try:
            memory = self._device.alloc((nbytes,), np.uint8)
        except MemoryShortage:
            if not self._idle:
                raise
            self.clear()  # blocks of other sizes, which nobody has at the moment
            self._device.release()
            memory = self._device.alloc((nbytes,), np.uint8)
        return nbytes, self._serial, memory


__all__ = ["Arena"]
