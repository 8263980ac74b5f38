"""Chunks of a file that stay in memory, decoded, up to a limit: patterns at random need the same ones again."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ptycupy.data.source import PatternSource
from ptycupy.data.stored import StoredPatterns, StoredView


@dataclass(frozen=True)
class CachedChunks(StoredView):
    """A chunked array whose least recently used chunks are forgotten when there is no room for another.

    Chunks that differ in the detector alone are read and kept together. A cache is of one process.
    """

    limit: int  # bytes
    _kept: OrderedDict[int, NDArray[Any]] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape

    @property
    def chunks(self) -> tuple[int, ...] | None:
        return self.array.chunks

    def read_region(self, region: tuple[slice, ...]) -> NDArray[Any]:
        return self.array.read_region(region)

    def read_blocks(self, leading: int, numbers: NDArray[np.int64]) -> NDArray[Any] | None:
        """See data.stored.Blocks; every chunk is decoded once at most, None where there is no room for a single one."""
        chunks = (self.array.chunks or self.shape)[:leading]
        if math.prod(chunks) * math.prod(self.shape[leading:]) * self.dtype.itemsize > self.limit:
            return None
        places = np.stack(np.unravel_index(numbers, self.shape[:leading]), axis=1)
        grid = [-(-length // chunk) for length, chunk in zip(self.shape, chunks, strict=False)]
        corners = places // chunks
        homes = np.ravel_multi_index(tuple(corners.T), grid)
        values = np.empty((len(numbers), *self.shape[leading:]), self.dtype)
        for home in np.unique(homes).tolist():
            members = np.flatnonzero(homes == home)
            low = corners[members[0]] * chunks
            inside = tuple((places[members] - low).T)
            values[members] = self._chunk(home, low, chunks)[inside]
        return values

    def _chunk(self, home: int, low: NDArray[np.int64], chunks: tuple[int, ...]) -> NDArray[Any]:
        with self._lock:
            found = self._kept.pop(home, None)
            if found is None:
                ends = [min(int(start) + n, length) for start, n, length in zip(low, chunks, self.shape, strict=False)]
                region = tuple(slice(int(start), end) for start, end in zip(low, ends, strict=True))
                rest = tuple(slice(0, length) for length in self.shape[len(chunks) :])
                found = self.array.read_region((*region, *rest))
                held = sum(chunk.nbytes for chunk in self._kept.values())
                while self._kept and held + found.nbytes > self.limit:
                    held -= self._kept.popitem(last=False)[1].nbytes
            self._kept[home] = found
            return found


def is_chunked(source: PatternSource) -> bool:
    """Whether the patterns behind all views of them lie in chunks."""
    if isinstance(source, StoredPatterns):
        return source.array.chunks is not None
    base = getattr(source, "base", None)
    return base is not None and is_chunked(base)


def with_chunk_cache(source: PatternSource, limit: int) -> PatternSource:
    """The same patterns, their chunks kept up to `limit` bytes once they are decoded."""
    if isinstance(source, StoredPatterns):
        return replace(source, array=CachedChunks(source.array, limit)) if is_chunked(source) else source
    if is_dataclass(source) and not isinstance(source, type) and any(f.name == "base" for f in fields(source)):
        view = cast(Any, source)
        return cast(PatternSource, replace(view, base=with_chunk_cache(view.base, limit)))
    return source


__all__ = ["CachedChunks", "is_chunked", "with_chunk_cache"]
