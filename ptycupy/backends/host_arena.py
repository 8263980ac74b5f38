"""Scratch memory of the CPU that is handed out again: the same batch needs the same blocks every time."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from ptycupy.backends.interface import Array


class HostArena(threading.local):
    """Blocks by shape and dtype, made by `alloc`: while open, the k-th request for a kind gets its k-th block.

    Each thread has blocks of its own. Scopes nest: the end of an inner one returns what it handed out.
    """

    def __init__(self, alloc: Callable[[tuple[int, ...], DTypeLike], Array]) -> None:
        self._alloc = alloc
        self._blocks: dict[tuple[tuple[int, ...], np.dtype[Any]], list[Array]] = {}
        self._handed_out: Counter[tuple[tuple[int, ...], np.dtype[Any]]] = Counter()
        self._depth = 0

    @contextmanager
    def scope(self) -> Iterator[None]:
        before = self._handed_out.copy()
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            self._handed_out = before

    def empty(self, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        """A recycled block where a scope is open, else a new array."""
        if self._depth == 0:
            return self._alloc(shape, dtype)
        kind = (tuple(shape), np.dtype(dtype))
        blocks, number = self._blocks.setdefault(kind, []), self._handed_out[kind]
        if number == len(blocks):
            blocks.append(self._alloc(shape, dtype))
        self._handed_out[kind] = number + 1
        return blocks[number]

    def bytes(self) -> int:
        """Memory of this thread's blocks, handed out or not."""
        return sum(int(block.nbytes) for blocks in self._blocks.values() for block in blocks)

    def clear(self) -> None:
        """Forgets this thread's blocks; those still in use live on with their users."""
        self._blocks.clear()
        self._handed_out.clear()


__all__ = ["HostArena"]
