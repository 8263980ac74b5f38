"""Patterns in the element type in which they are held: their file's own, where compiled code can read it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.data.chunk_cache import is_chunked, with_chunk_cache
from ptycupy.data.source import ArraySource, PatternSource

SLAB_BYTES = 1 << 26  # read at once where all patterns are


def stored_type(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The type that patterns of this one are kept in: 64-bit integers become doubles, which hold counts exactly up to
    2^53; byte order becomes the machine's."""
    wide = dtype.itemsize > 8 or (dtype.kind in "iu" and dtype.itemsize == 8)
    return np.dtype(np.float64) if wide else dtype.newbyteorder("=")


class Held:
    """Patterns that are read in the type in which backends hold them."""

    def __init__(self, source: PatternSource) -> None:
        self.source = source
        self.shape: tuple[int, int, int] = source.shape
        self.dtype = stored_type(np.dtype(source.dtype))

    @property
    def in_memory(self) -> bool:
        """Whether they are an array already, and no map of a file."""
        return isinstance(self.source, ArraySource) and not isinstance(self.source.patterns, np.memmap)

    @property
    def pattern_bytes(self) -> int:
        """Of one pattern."""
        return math.prod(self.shape[1:]) * self.dtype.itemsize

    @property
    def path(self) -> str:
        """Where the patterns come from."""
        return self.source.provenance.path

    def read(self, indices: NDArray[np.integer[Any]]) -> NDArray[Any]:
        """Patterns [n, ky, kx] in the given order; raises DataError as the source does."""
        return self._held(self.source.read(indices))

    def slabs(self) -> Iterator[tuple[slice, NDArray[Any]]]:
        """All patterns in scan order, some at a time, with the slice that each slab fills."""
        for part, patterns in self.source.slabs(max(1, SLAB_BYTES // self.pattern_bytes)):
            yield part, self._held(patterns)

    def whole(self) -> NDArray[Any]:
        """All patterns as one array; one that is in memory, or mapped, and has the type already is not copied."""
        if isinstance(self.source, ArraySource):
            return self._held(self.source.patterns)
        array = np.empty(self.shape, self.dtype)
        for part, patterns in self.slabs():
            array[part] = patterns
        return array

    @property
    def is_chunked(self) -> bool:
        """Whether they lie in chunks of a file, which are decoded as a whole."""
        return is_chunked(self.source)

    def cached(self, limit: int) -> Held:
        """The same with up to `limit` bytes of decoded chunks kept."""
        return Held(with_chunk_cache(self.source, limit))

    def loaded(self) -> Held:
        """The same in the host's memory."""
        return (
            self if self.in_memory else Held(ArraySource(np.asarray(self.whole()), provenance=self.source.provenance))
        )

    def _held(self, patterns: NDArray[Any]) -> NDArray[Any]:
        return patterns.astype(self.dtype, copy=False)


__all__ = ["SLAB_BYTES", "Held", "stored_type"]
