"""A part of a stored array, chosen by index or slice along each of its axes, before anything else is done to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from ptycupy.data.stored import StoredArray, StoredView
from ptycupy.errors import DataError


@dataclass(frozen=True)
class SelectedArray(StoredView):
    """A stored array with some indices of each axis; a part that is a single index takes its axis away."""

    parts: tuple[int | range, ...]  # for every axis of the array, within its bounds

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(len(part) for part in self.parts if isinstance(part, range))

    @property
    def chunks(self) -> tuple[int, ...] | None:
        chunks = self.array.chunks
        if chunks is None:
            return None
        pairs = zip(chunks, self.parts, strict=True)
        return tuple(max(1, chunk // part.step) for chunk, part in pairs if isinstance(part, range))

    def read_region(self, region: tuple[slice, ...]) -> NDArray[Any]:
        asked = iter(region)
        whole: list[slice] = []  # of the array, without steps
        picked: list[int | slice] = []  # of what is read
        for part in self.parts:
            if isinstance(part, int):
                whole.append(slice(part, part + 1))
                picked.append(0)
                continue
            wanted = part[next(asked)]
            whole.append(slice(wanted.start, wanted[-1] + 1 if wanted else wanted.start))
            picked.append(slice(None, None, wanted.step))
        values: NDArray[Any] = self.array.read_region(tuple(whole))[tuple(picked)]
        return values


def select(array: StoredArray, selection: Sequence[int | Sequence[int | None] | None] | None) -> StoredArray:
    """The part of an array that `data.selection` names: for each axis an index, (start, stop, step) as of a slice, or
    None for all of it; axes that are not named are whole. DataError where it does not fit the array.
    """
    if selection is None:
        return array
    name = f"{array.path}{f': {array.key}' if array.key else ''}"
    shape = array.shape
    if len(selection) > len(shape):
        raise DataError(f"{name}: data.selection names {len(selection)} axes of {shape}, which has {len(shape)}")
    parts: list[int | range] = []
    for axis, length in enumerate(shape):
        chosen = selection[axis] if axis < len(selection) else None
        if isinstance(chosen, int):
            if not -length <= chosen < length:
                raise DataError(f"{name}: data.selection: index {chosen} of axis {axis}, which has {length}")
            parts.append(chosen % length)
            continue
        part = range(length)[slice(*chosen) if chosen else slice(None)]
        if not part:
            raise DataError(f"{name}: data.selection: {list(chosen or ())} of axis {axis} (of {length}) is empty")
        parts.append(part)
    return SelectedArray(array, tuple(parts))
