"""Patterns on a device: as they came, or packed where they are whole counts and that takes less."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.backends.exchange import to_numpy
from ptycupy.backends.interface import Array, Backend
from ptycupy.data.counts import PackedPatterns, Storage, count_of, pack
from ptycupy.data.held import Held
from ptycupy.data.source import ArraySource, PatternSource
from ptycupy.data.views import Picked
from ptycupy.errors import DataError

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Resident:
    """Patterns that are on a device already, in place of a Problem's, so that several runs share them."""

    source: PatternSource | PackedPatterns  # where they came from
    patterns: Array | PackedPatterns  # on the device of the backend that will use them

    @property
    def shape(self) -> tuple[int, int, int]:
        """[N, ky, kx]"""
        return self.source.shape


def as_source(patterns: Any) -> PatternSource | PackedPatterns:
    """The patterns of a Problem [N, ky, kx] with nothing read; an array is not copied.

    Raises DataError for other shapes and kinds.
    """
    if isinstance(patterns, Resident):
        return patterns.source
    if isinstance(patterns, np.ndarray) or not isinstance(patterns, (PatternSource, PackedPatterns)):
        patterns = ArraySource(array) if (array := to_numpy(patterns, "patterns")).ndim == 3 else array
    shape, dtype = patterns.shape, np.dtype(patterns.dtype)
    if len(shape) != 3 or 0 in shape:
        raise DataError(f"patterns {shape} must be (N, ky, kx), none of them zero")
    if dtype.kind not in "biuf":
        raise DataError(f"patterns: dtype {dtype} must be real numbers")
    source: PatternSource | PackedPatterns = patterns
    return source


def some(source: PatternSource | PackedPatterns, here: NDArray[np.int32]) -> PatternSource:
    """The patterns of these positions, with nothing else read; packed ones are unpacked."""
    if isinstance(source, PackedPatterns):
        return ArraySource(source.read(here))
    if isinstance(source, ArraySource) and not source.patterns.strides[0]:  # one pattern many times, in no memory
        return ArraySource(source.patterns[: len(here)])
    return Picked(source, here)


def on_device(
    backend: Backend,
    source: PatternSource | PackedPatterns,
    storage: Storage,
    mask: NDArray[np.bool_],
    used: NDArray[np.bool_],
) -> Array | PackedPatterns:
    """All patterns in the form asked for; one line of the log says which it is, unless that is `dense`.

    `mask` [ky, kx] and `used` [N] are True where something counts: nothing else is packed. Raises DataError where
    `packed` or `events` cannot hold the patterns exactly.
    """
    if isinstance(source, PackedPatterns):
        return source.moved(backend.asarray)
    packed = packed_on_device(backend, source, storage, mask, used)
    if packed is not None:
        return packed
    held = Held(source)
    if isinstance(source, ArraySource):
        return backend.asarray(held.whole())
    array = backend.zeros(held.shape, held.dtype)
    for part, slab in held.slabs():
        backend.copy(array[part], backend.asarray(slab))
    return array


def packed_on_device(
    backend: Backend,
    source: PatternSource,
    storage: Storage,
    mask: NDArray[np.bool_],
    used: NDArray[np.bool_],
    room: int | None = None,
) -> PackedPatterns | None:
    """The same packed; None where that is not asked for, takes more than dense ones, or more than `room` bytes."""
    if storage == "dense":
        return None
    census = count_of(source, mask, used)
    bits = census.choose(storage, source.provenance.path)
    if bits is None or room is None or census.bytes(bits) <= room:
        logger.info("patterns on the device: %s", census.told(bits))
    if bits is None or (room is not None and census.bytes(bits) > room):
        return None
    return pack(source, census, bits, mask, used).moved(backend.asarray)


__all__ = ["Resident", "as_source", "on_device", "packed_on_device", "some"]
