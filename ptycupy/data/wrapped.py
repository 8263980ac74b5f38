"""Stored arrays seen in another way: axes reversed, pairs as complex numbers, several joined along the first axis."""

from __future__ import annotations

import bisect
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.data.stored import Attributes, StoredArray, StoredView


@dataclass(frozen=True)
class Reversed(StoredView):
    """A stored array with its axes in the opposite order."""

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape[::-1]

    @property
    def chunks(self) -> tuple[int, ...] | None:
        return None if self.array.chunks is None else self.array.chunks[::-1]

    def read_region(self, region: tuple[slice, ...]) -> NDArray[Any]:
        values: NDArray[Any] = self.array.read_region(region[::-1]).transpose()
        return values


@dataclass(frozen=True)
class ComplexPairs(StoredView):
    """A stored array of records of two equal floats as complex numbers."""

    complex_dtype: np.dtype[Any]

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.complex_dtype

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape

    @property
    def chunks(self) -> tuple[int, ...] | None:
        return self.array.chunks

    def read_region(self, region: tuple[slice, ...]) -> NDArray[Any]:
        values: NDArray[Any] = self.array.read_region(region).view(self.dtype)
        return values


def complex_pairs(dtype: np.dtype[Any] | None) -> np.dtype[Any] | None:
    """The complex type of records (real, imaginary) that lie as complex numbers do, else None."""
    if dtype is None or dtype.names is None or len(dtype.names) != 2 or dtype.fields is None:
        return None
    real, imaginary = (dtype.fields[name] for name in dtype.names)
    if dtype.names not in (("real", "imag"), ("r", "i"), ("re", "im")) or real[0] != imaginary[0]:
        return None
    if real[0].kind != "f" or real[0].itemsize not in (4, 8) or dtype.itemsize != 2 * real[0].itemsize:
        return None
    return (
        np.dtype(f"{real[0].byteorder}c{dtype.itemsize}") if (real[1], imaginary[1]) == (0, real[0].itemsize) else None
    )


@dataclass(frozen=True)
class Joined:
    """Stored arrays one after the other along their first axis; the others agree."""

    path: Path
    key: str | None
    parts: tuple[StoredArray, ...]
    attributes: Attributes

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.parts[0].dtype

    @property
    def shape(self) -> tuple[int, ...]:
        return (sum(part.shape[0] for part in self.parts), *self.parts[0].shape[1:])

    @property
    def chunks(self) -> tuple[int, ...] | None:
        """Those of the first part where borders of parts are borders of chunks."""
        chunks = self.parts[0].chunks
        if chunks is None or any(part.chunks != chunks or part.shape[0] % chunks[0] for part in self.parts[:-1]):
            return None if chunks is None else (1, *chunks[1:])
        return chunks

    def read_region(self, region: tuple[slice, ...]) -> NDArray[Any]:
        """The region, gathered from the parts it touches."""
        start, stop = region[0].start, region[0].stop
        values = np.empty([part.stop - part.start for part in region], self.dtype)
        ends = np.cumsum([part.shape[0] for part in self.parts]).tolist()
        number = bisect.bisect_right(ends, start)
        while start < stop:
            begin = ends[number] - self.parts[number].shape[0]
            end = min(stop, ends[number])
            piece = (slice(start - begin, end - begin), *region[1:])
            values[start - region[0].start : end - region[0].start] = self.parts[number].read_region(piece)
            start, number = end, number + 1
        return values
