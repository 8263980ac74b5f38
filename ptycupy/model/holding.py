"""Where patterns lie on a device: all of them, packed or not, or in the slots of a Feed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ptycupy.backends.interface import Array, Backend
from ptycupy.data.counts import PackedPatterns, Storage
from ptycupy.data.held import Held
from ptycupy.data.source import PatternSource
from ptycupy.model.feed import Feed
from ptycupy.model.storage import on_device


@dataclass(frozen=True)
class Wanted:
    """Patterns [N, ky, kx] that a device is to hold, and what of them counts."""

    source: PatternSource | PackedPatterns
    storage: Storage
    mask: NDArray[np.bool_]  # [ky, kx]
    used: NDArray[np.bool_]  # [N]


class Placed(NamedTuple):
    """Patterns on a device, as Experiment has them."""

    patterns: Array | PackedPatterns
    slots: Array | None = None
    feed: Feed | None = None


Hold = Callable[[Backend, Wanted], Placed]


def hold_all(backend: Backend, wanted: Wanted) -> Placed:
    """All patterns on the device; see `on_device`."""
    return Placed(on_device(backend, wanted.source, wanted.storage, wanted.mask, wanted.used))


def hold_some(backend: Backend, source: Held, used: NDArray[np.bool_], kept: int, capacity: int, ahead: int) -> Placed:
    """The first `kept` used patterns on the device, the others through buffers of `capacity`, `ahead` of their use."""
    numbers = np.flatnonzero(used).astype(np.int32)
    feed = Feed(backend, source, numbers[:kept], numbers[kept:], capacity, ahead)
    return Placed(feed.patterns, feed.slots, feed)


__all__ = ["Hold", "Placed", "Wanted", "hold_all", "hold_some"]
