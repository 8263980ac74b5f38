"""Electron-counted data of the 4D Camera, as stempy writes them: for every frame a list of the pixels that were hit.

Layout: OpenChemistry/stempy, docs/StempyH5Format.md and python/stempy/io/sparse_array.py (`write_to_hdf5`,
`from_hdf5`). electron_events/frames holds variable-length integers, row * columns + column of the detector, whose rows
and columns are its attributes Nx and Ny; electron_events/scan_positions the places of the frames in the scan, whose
columns and rows are its attributes Nx and Ny. Since version 3 of the layout a position may have several frames, which
follow each other; in all versions a place may occur several times, or not at all.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ptycupy.data.files import require_memory, require_plausible
from ptycupy.data.readers.hdf5_access import OpenFile, translated
from ptycupy.data.readers.hdf5_text import heaps_are_sound
from ptycupy.data.stored import Attributes
from ptycupy.errors import DataError

GROUP = "electron_events"
FRAMES, POSITIONS = f"{GROUP}/frames", f"{GROUP}/scan_positions"
DTYPE = np.dtype(np.uint16)
LARGEST_SIDE = 1 << 15  # of a detector or a scan


class CountedEvents:
    """Patterns (slow, fast, ky, kx) that are counted when they are read; frames of one position are added."""

    dtype = DTYPE
    chunks = None
    key = FRAMES

    def __init__(self, path: Path, shape: tuple[int, int, int, int], places: NDArray[np.int64]) -> None:
        """places: [frames] position in the scan, slow axis first, of each."""
        self.path, self.shape, self.attributes = path, shape, Attributes()
        self._file = OpenFile(path)
        self._order = np.argsort(places, kind="stable")  # frames by position
        self._starts = np.searchsorted(places[self._order], np.arange(math.prod(shape[:2]) + 1))
        self._frames = len(places)

    def read_region(self, region: tuple[slice, ...]) -> NDArray[Any]:
        """The region; DataError where a list is damaged, or names a pixel that the detector does not have."""
        slow, fast = (range(part.start, part.stop) for part in region[:2])
        patterns = np.empty((len(slow), len(fast), *(part.stop - part.start for part in region[2:])), DTYPE)
        with self._file.lock, translated(self.path, FRAMES):
            dataset = self._file[FRAMES]
            if dataset.shape != (self._frames,):
                raise DataError(f"{self.path}: {FRAMES} has {dataset.shape[0]} frames now, not {self._frames}")
            for row, line in zip(slow, patterns, strict=True):
                first = row * self.shape[1]
                for target, counts in zip(
                    line, self._line(dataset, first + fast.start, first + fast.stop), strict=True
                ):
                    target[...] = counts[region[2:]]
        return patterns

    def _line(self, dataset: Any, start: int, stop: int) -> list[NDArray[Any]]:
        """The patterns of neighbouring positions, whose frames are read together where they lie together."""
        numbers = self._order[self._starts[start] : self._starts[stop]]
        together = len(numbers) > 0 and bool((np.diff(numbers) == 1).all())
        lists = dataset[numbers[0] : numbers[-1] + 1] if together else [dataset[number] for number in numbers]
        found, done = [], 0
        for position in range(start, stop):
            count = int(self._starts[position + 1] - self._starts[position])
            events = [np.asarray(listed) for listed in lists[done : done + count]]
            found.append(self._counted(numbers[done : done + count], events))
            done += count
        return found

    def _counted(self, numbers: NDArray[np.int64], lists: list[NDArray[Any]]) -> NDArray[Any]:
        """[ky, kx] of the events of some frames."""
        detector = self.shape[2:]
        events = np.concatenate([np.empty(0, np.int64), *lists]).astype(np.int64)
        if events.size and not 0 <= events.min() <= events.max() < math.prod(detector):
            raise DataError(
                f"{self.path}: {FRAMES}: frames {numbers.tolist()} have events at pixels {events.min()} to "
                f"{events.max()}, but the detector {detector[0]} x {detector[1]} has {math.prod(detector)}"
            )
        counts = np.bincount(events, minlength=math.prod(detector))
        if counts.max() > np.iinfo(DTYPE).max:
            raise DataError(f"{self.path}: {FRAMES}: {counts.max()} events in one pixel, {DTYPE} holds less")
        return counts.reshape(detector)


def is_counted(file: Any) -> bool:
    """Whether an open HDF5 file holds lists of events."""
    frames, positions = (file.get(key) for key in (FRAMES, POSITIONS))
    if not isinstance(frames, h5py.Dataset) or not isinstance(positions, h5py.Dataset):
        return False
    kind = frames.id.get_type()
    return bool(kind.get_class() == h5py.h5t.VLEN and kind.get_super().get_class() == h5py.h5t.INTEGER)


def open_events(path: Path, file: Any) -> CountedEvents:
    """The events of an open file; the places of its frames are read, nothing else. DataError where they are no scan."""
    if not heaps_are_sound(path):
        raise DataError(f"{path}: {FRAMES}: the lists of events are damaged")
    frames, positions = file[FRAMES], file[POSITIONS]
    height, width = (_length(path, frames, FRAMES, name) for name in ("Nx", "Ny"))
    fast, slow = (_length(path, positions, POSITIONS, name) for name in ("Nx", "Ny"))
    count, given = frames.shape[0] if frames.shape else 0, positions.shape[0] if positions.shape else 0
    if len(frames.shape) != 1 or len(positions.shape) != 1 or given == 0 or count == 0 or count % given:
        raise DataError(
            f"{path}: {FRAMES} {frames.shape} and {POSITIONS} {positions.shape}: every position needs as many frames"
        )
    if positions.dtype.kind not in "iu":
        raise DataError(f"{path}: {POSITIONS} is {positions.dtype}, it must be whole numbers")
    require_plausible(path, f"{POSITIONS} {positions.shape}", 8 * given, positions.id.get_storage_size())
    require_memory(path, f"the frames of a scan of {slow} x {fast}", 8 * (slow * fast + 3 * count))
    places = np.repeat(np.asarray(positions[()], np.int64), count // given)
    if places.min() < 0 or places.max() >= slow * fast:
        raise DataError(
            f"{path}: {POSITIONS} has places {places.min()} to {places.max()}, but a scan of {slow} x {fast} has "
            f"{slow * fast}"
        )
    return CountedEvents(path, (slow, fast, height, width), places)


def _length(path: Path, dataset: Any, key: str, name: str) -> int:
    value = 0
    if name in dataset.attrs:
        attribute = dataset.attrs.get_id(name)
        if attribute.get_type().get_class() == h5py.h5t.INTEGER and attribute.shape in ((), (1,)):
            value = int(np.asarray(dataset.attrs[name]).reshape(-1)[0])
    if not 0 < value <= LARGEST_SIDE:
        raise DataError(f"{path}: {key} needs the attribute {name}, a length of 1 to {LARGEST_SIDE}")
    return value


__all__ = ["CountedEvents", "is_counted", "open_events"]
