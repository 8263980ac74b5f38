"""Patterns of a file that is being written: those that are whole are read, the others are zero until they come."""

from __future__ import annotations

import logging
import time
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.data.source import PatternSource
from ptycupy.data.stored import Attributes, StoredPatterns
from ptycupy.data.transform import Cast
from ptycupy.data.views import MappedSource, Picked, ScanCrop
from ptycupy.errors import ConfigError, DataError

if TYPE_CHECKING:
    from ptycupy.data.readers.growing_files import Frames

log = logging.getLogger(__name__)
LOOKED_AT = 64  # patterns at once, for the newest that is not empty


class GrowingArray:
    """A stored array [N, ky, kx] of which the first `count` patterns are there; the rest reads as zeros.

    A pattern is there when a later one has been begun, and the newest when it stayed the same for `settle_seconds`:
    files may be as long as the whole scan from the start, and a pattern be half written. Empty patterns at the end
    therefore count only once something follows them.
    """

    chunks: tuple[int, ...] | None = None

    def __init__(self, path: Path, frames: Frames, total: int, settle_seconds: float) -> None:
        self.path, self.key = path, frames.key
        self.shape, self.dtype = (total, *frames.detector_shape), frames.dtype
        self.attributes: Attributes = frames.attributes
        self.count = 0
        self.settle_seconds = settle_seconds
        self._frames = frames
        self._newest: tuple[int, int, float] | None = None  # number, checksum, when it was first seen so

    def look(self) -> int:
        """How many patterns are there now; never fewer than before."""
        total = self.shape[0]
        try:
            room = min(self._frames.count(), total)
            newest = self._last_begun(room)
        except DataError as error:  # the writer holds it, or is in the middle of something: the next look will tell
            log.debug("%s", error)
            return self.count
        if newest is None:
            return self.count
        number, checksum = newest
        now = time.monotonic()
        if self._newest is None or self._newest[:2] != newest:
            self._newest = (number, checksum, now)
        settled = now - self._newest[2] >= self.settle_seconds
        self.count = max(self.count, number + 1 if settled else number)
        return self.count

    def _last_begun(self, room: int) -> tuple[int, int] | None:
        """Number and checksum of the last pattern that is not empty, from the first that is not yet there on."""
        found = None
        for start in range(self.count, room, LOOKED_AT):
            values = self._frames.read(start, min(start + LOOKED_AT, room))
            begun = np.flatnonzero((values != 0).reshape(len(values), -1).any(axis=1))
            if not begun.size:
                break
            last = int(begun[-1])
            found = start + last, zlib.crc32(np.ascontiguousarray(values[last]).tobytes())
        return found

    def read_region(self, region: tuple[slice, ...]) -> NDArray[Any]:
        """The region, zeros where patterns are not there; DataError where the file has lost some that were."""
        positions, *detector = region
        values = np.zeros((positions.stop - positions.start, *self.shape[1:]), self.dtype)
        stop = min(positions.stop, self.count)
        if stop > positions.start:
            values[: stop - positions.start] = self._frames.read(positions.start, stop)
        whole = (slice(None), *detector)
        part: NDArray[Any] = values[whole]
        return part


def beginning(source: PatternSource, count: int) -> Picked:
    """The first `count` patterns of a source."""
    return Picked(source, np.arange(count, dtype=np.int32))


def growing_of(source: PatternSource) -> GrowingArray:
    """The growing array that a source of open_source is a view of."""
    base: Any = source
    while isinstance(base, (MappedSource, ScanCrop)):
        base = base.base
    assert isinstance(base, StoredPatterns)
    assert isinstance(base.array, GrowingArray)
    return base.array


def patterns_there(source: PatternSource) -> int:
    """How many of a source's patterns, from the first on, are there as its growing array counts them."""
    if isinstance(source, MappedSource):
        return patterns_there(source.base)
    count = growing_of(source).count
    if isinstance(source, ScanCrop):
        rows, columns = (np.arange(first, last) for first, last in (source.rows, source.columns))
        width = source.base.scan_shape[1] if source.base.scan_shape else 0
        return int(np.count_nonzero(rows[:, None] * width + columns < count))
    return count


def rebased(source: PatternSource, prefix: Picked) -> PatternSource:
    """What a source that begins with `prefix` is when it begins with all patterns; ConfigError for steps that look at
    more than one pattern."""
    if source is prefix:
        return prefix.base
    if not isinstance(source, MappedSource):
        name = type(source).__name__
        raise ConfigError(f"data.follow: {name} needs all patterns at once; leave out blurs over the scan and noise")
    step = Cast(np.dtype(np.float64)) if isinstance(source.step, Cast) else source.step  # counts may still grow
    return MappedSource.of(rebased(source.base, prefix), step)
