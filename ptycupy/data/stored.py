"""Arrays as files hold them, and patterns made of them: axes permuted and regrouped without reading anything."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ptycupy.data.source import Calibration, Provenance
from ptycupy.errors import DataError

READ_LIMIT_BYTES = 1 << 26  # the largest region read at once to pick scattered patterns from


@dataclass(frozen=True)
class Attributes:
    """The numbers that a file states about one of its arrays, by name."""

    values: Mapping[str, float | tuple[float, ...]] = field(default_factory=dict)

    def numbers(self, *names: str) -> tuple[float, ...] | None:
        """The numbers under the first of these names that the file has, else None."""
        for name in names:
            value = self.values.get(name)
            if value is not None:
                return value if isinstance(value, tuple) else (value,)
        return None

    def number(self, *names: str) -> float | None:
        """One finite number under the first of these names, else None."""
        values = self.numbers(*names)
        return values[0] if values and len(values) == 1 and math.isfinite(values[0]) else None

    def pair(self, *names: str) -> tuple[float, float] | None:
        """Two positive numbers, a single one standing for both, else None."""
        values = self.numbers(*names)
        if not values or len(values) > 2 or not all(math.isfinite(value) and value > 0 for value in values):
            return None
        return values[0], values[-1]


class StoredArray(Protocol):
    """An array of any rank in a file; nothing but headers has been read."""

    @property
    def path(self) -> Path: ...
    @property
    def key(self) -> str | None: ...
    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    @property
    def chunks(self) -> tuple[int, ...] | None: ...
    @property
    def attributes(self) -> Attributes: ...

    def read_region(self, region: tuple[slice, ...]) -> NDArray[Any]:
        """The values between start and stop of each axis (both given, step 1)."""
        ...


@runtime_checkable
class Blocks(Protocol):
    """A stored array that reads many blocks quicker one by one than as regions."""

    def read_blocks(self, leading: int, numbers: NDArray[np.int64]) -> NDArray[Any] | None:
        """Blocks [n, ...] of the trailing axes, numbered along the first `leading` ones; None where it cannot."""
        ...


@dataclass(frozen=True)
class StoredPatterns:
    """Patterns [N, ky, kx] of a stored array: a permutation of its axes, the leading ones numbering the patterns."""

    array: StoredArray
    permute: tuple[int, ...]
    leading: tuple[int, ...]  # lengths of the leading permuted axes, product N
    detector_shape: tuple[int, int]
    scan_shape: tuple[int, int] | None
    calibration: Calibration
    provenance: Provenance

    @property
    def shape(self) -> tuple[int, int, int]:
        return (math.prod(self.leading), *self.detector_shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The file's type in this machine's byte order; floats wider than 64 bits become float64."""
        stored = self.array.dtype
        return np.dtype(np.float64) if stored.kind == "f" and stored.itemsize > 8 else stored.newbyteorder("=")

    def read(self, indices: Sequence[int] | NDArray[np.integer[Any]]) -> NDArray[Any]:
        """Patterns [n, ky, kx] in the given order; neighbours in the file are read together."""
        wanted = np.asarray(indices, dtype=np.int64).reshape(-1)
        count = self.shape[0]
        if wanted.size and (wanted.min() < 0 or wanted.max() >= count):
            raise IndexError(f"pattern {wanted.min()}..{wanted.max()} asked for, {self.provenance.path} has {count}")
        if isinstance(self.array, Blocks) and self.permute == tuple(range(len(self.permute))):
            blocks = self.array.read_blocks(len(self.leading), wanted)
            if blocks is not None:
                return blocks.reshape(-1, *self.detector_shape).astype(self.dtype, copy=False)
        patterns = np.empty((wanted.size, *self.detector_shape), self.dtype)
        places = np.stack(np.unravel_index(wanted, self.leading), axis=1)  # [n, leading axes]
        for members, low, high in self._groups(places):
            block = self._read_block(low, high)
            local = tuple((places[members] - low).T)
            patterns[members] = block[local].reshape(-1, *self.detector_shape)
        return patterns

    def slabs(self, size: int) -> Iterator[tuple[slice, NDArray[Any]]]:
        """All patterns in order, at most `size` at a time, ends on chunk borders where that is possible."""
        chunk = self._chunk_lengths()[0] * math.prod(self.leading[1:]) if self.array.chunks else 1
        step = size // chunk * chunk or size
        count = self.shape[0]
        for start in range(0, count, step):
            part = slice(start, min(start + step, count))
            yield part, self.read(np.arange(part.start, part.stop))

    def _chunk_lengths(self) -> list[int]:
        chunks = self.array.chunks or (1,) * len(self.permute)
        return [chunks[axis] for axis in self.permute[: len(self.leading)]]

    def _groups(self, places: NDArray[np.int64]) -> Iterator[tuple[list[int], NDArray[Any], NDArray[Any]]]:
        """Members and bounding boxes [low, high) of what is read together: a chunk, or a gapless run."""
        chunked = self.array.chunks is not None
        chunks = places // np.asarray(self._chunk_lengths()) if chunked else np.zeros_like(places)
        in_file = sorted(range(len(self.leading)), key=lambda axis: -self.permute[axis])
        order = np.lexsort([places[:, axis] for axis in in_file] + [chunks[:, axis] for axis in in_file])
        limit = max(1, READ_LIMIT_BYTES // (math.prod(self.detector_shape) * self.dtype.itemsize))
        members: list[int] = []
        low = high = before = np.zeros(len(self.leading), np.int64)
        for number in order.tolist():
            place = places[number]
            if members:
                joined_low, joined_high = np.minimum(low, place), np.maximum(high, place + 1)
                volume = int(np.prod(joined_high - joined_low))
                together = (chunks[number] == before).all() if chunked else volume <= len(members) + 1
                if together and volume <= limit:
                    low, high = joined_low, joined_high
                    members.append(number)
                    continue
                yield members, low, high
            members, low, high, before = [number], place, place + 1, chunks[number]
        if members:
            yield members, low, high

    def _read_block(self, low: NDArray[Any], high: NDArray[Any]) -> NDArray[Any]:
        region = [slice(0, length) for length in self.array.shape]
        for number, axis in enumerate(self.permute[: len(self.leading)]):
            region[axis] = slice(int(low[number]), int(high[number]))
        block: NDArray[Any] = self.array.read_region(tuple(region)).transpose(self.permute)
        return block


@dataclass(frozen=True)
class StoredView:
    """What a stored array seen in another way has of the array itself."""

    array: StoredArray

    @property
    def path(self) -> Path:
        return self.array.path

    @property
    def key(self) -> str | None:
        return self.array.key

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.array.dtype

    @property
    def attributes(self) -> Attributes:
        return self.array.attributes


@dataclass(frozen=True)
class SplitAxis(StoredView):
    """A stored array with one axis seen as two; the inner of the two must be read whole."""

    axis: int
    inner: int

    @property
    def shape(self) -> tuple[int, ...]:
        shape = self.array.shape
        return (*shape[: self.axis], shape[self.axis] // self.inner, self.inner, *shape[self.axis + 1 :])

    @property
    def chunks(self) -> tuple[int, ...] | None:
        if self.array.chunks is None:
            return None
        chunks = self.array.chunks
        return (*chunks[: self.axis], max(1, chunks[self.axis] // self.inner), self.inner, *chunks[self.axis + 1 :])

    def read_region(self, region: tuple[slice, ...]) -> NDArray[Any]:
        outer = region[self.axis]
        joined = slice(outer.start * self.inner, outer.stop * self.inner)
        values = self.array.read_region((*region[: self.axis], joined, *region[self.axis + 2 :]))
        shape = values.shape
        return values.reshape(*shape[: self.axis], -1, self.inner, *shape[self.axis + 1 :])


def arrange(
    array: StoredArray, permute: tuple[int, ...] | None, reshape: tuple[int, ...] | None
) -> tuple[StoredArray, tuple[int, ...], int, tuple[int, ...]]:
    """The array, the permutation of its axes, how many of them number patterns, and the 3-D or 4-D shape asked for.

    `permute` orders the axes, then `reshape` regroups them in C order; one length of it may be -1. DataError where
    they do not fit the array, or where a pattern would not be a block of whole trailing axes.
    """
    name = f"{array.path}{f': {array.key}' if array.key else ''}"
    order = tuple(range(len(array.shape))) if permute is None else permute
    if sorted(order) != list(range(len(array.shape))):
        raise DataError(
            f"{name}: data.permute {list(order)} does not order the {len(array.shape)} axes of {array.shape}"
        )
    shape = tuple(array.shape[axis] for axis in order)
    target = shape if reshape is None else _complete(name, shape, reshape)
    if len(target) not in (3, 4):
        raise DataError(
            f"{name}: {len(target)} axes {target}; patterns need (N, ky, kx) or (slow, fast, ky, kx): set data.reshape"
        )
    count = math.prod(target[:-2])
    for axes in range(len(shape) + 1):
        before = math.prod(shape[:axes])
        if before == count and axes:
            return array, order, axes, target
        if before > count or axes == len(shape):
            break
        length, pieces = shape[axes], count // before
        if count % before == 0 and length % pieces == 0 and length > pieces:
            file_axis = order[axes]
            split = SplitAxis(array, file_axis, length // pieces)
            moved = [axis + (axis > file_axis) for axis in order]
            return split, (*moved[: axes + 1], file_axis + 1, *moved[axes + 1 :]), axes + 1, target
    raise DataError(
        f"{name}: data.reshape {list(target)} cuts through the axes {shape}; a pattern must be a whole block"
    )


def _complete(name: str, shape: tuple[int, ...], reshape: tuple[int, ...]) -> tuple[int, ...]:
    total, known = math.prod(shape), math.prod(length for length in reshape if length != -1)
    free = reshape.count(-1)
    if free > 1 or known <= 0 or min(reshape) < -1 or (total % known if free else total != known):
        raise DataError(f"{name}: data.reshape {list(reshape)} does not fit {shape} with its {total} values")
    return tuple(total // known if length == -1 else length for length in reshape)
