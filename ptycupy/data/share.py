"""Several processes that look through one data set together, each at a piece of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ptycupy.data.source import PatternSource


class Among(Protocol):
    """Those who look."""

    rank: int
    size: int

    def exchange(self, thing: Any) -> list[Any]:
        """What each of them gives, in their order; all of them call it."""
        ...


class _One:
    rank, size = 0, 1

    def exchange(self, thing: Any) -> list[Any]:
        return [thing]


ONE: Among = _One()


def slabs_of(source: PatternSource, size: int, among: Among) -> Iterator[tuple[slice, NDArray[Any]]]:
    """The slabs of one's own piece, which is all that is read: pieces follow each other and are as long as can be."""
    if among.size == 1:
        yield from source.slabs(size)
        return
    piece = np.array_split(np.arange(source.shape[0]), among.size)[among.rank]
    for first in range(0, len(piece), size):
        members = piece[first : first + size]
        yield slice(int(members[0]), int(members[-1]) + 1), source.read(members)


__all__ = ["ONE", "Among", "slabs_of"]
