"""Where patterns lie during a run: on the device, in the host's memory, or on disk, by what has room for them."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np

from ptycupy.backends.host_memory import free_bytes, resident_bytes
from ptycupy.backends.interface import Backend
from ptycupy.data.counts import PackedPatterns
from ptycupy.data.files import human
from ptycupy.data.held import Held
from ptycupy.errors import ConfigError
from ptycupy.model.holding import Placed, Wanted, hold_all, hold_some
from ptycupy.model.parameters import Parameters
from ptycupy.model.storage import packed_on_device

logger = logging.getLogger(__name__)

TIERS = ("device", "host", "disk")
SHARE = 0.8  # of what is free once everything else has room: what patterns may take
CODE_BYTES = 1 << 28  # that compiled code still takes where it shares memory with patterns
AHEAD_BYTES = 1 << 26  # of batches that are read before they are asked for
MOST_AHEAD = 4
DECODED_BYTES = 1 << 28  # of chunks that are kept where they share memory with patterns: those of neighbouring batches
WAVES = 8  # of the size of a pattern's probe modes that live while its gradient is found, beside two for each slice
PATTERNS = 64  # for whose waves room is left, though fewer may run at once


@dataclass(frozen=True)
class Residency:
    """What is asked for: `tier` "auto", "device", "host" or "disk", and the most that this process may take of the
    host's memory (bytes, all in all), None = what is free."""

    tier: str = "auto"
    memory_limit: int | None = None

    def __post_init__(self) -> None:
        if self.tier not in ("auto", *TIERS):
            raise ConfigError(f"residency {self.tier!r} is unknown, it must be one of auto, {', '.join(TIERS)}")

    def host_free(self) -> int:
        """Bytes of the host that may still be taken."""
        free = free_bytes()
        return free if self.memory_limit is None else max(0, min(free, self.memory_limit - resident_bytes()))


@dataclass(frozen=True)
class Room:
    """Free bytes, with what else a run takes of the device's."""

    device: int
    host: int
    reserved: int
    shared: bool  # the device's memory is the host's

    @property
    def for_patterns(self) -> int:
        """On the device."""
        return max(0, int(SHARE * (self.device - self.reserved)))


@dataclass(frozen=True)
class Holding:
    """Where `count` patterns of `pattern_bytes` lie, `kept` of them on the device."""

    tier: str
    count: int
    pattern_bytes: int
    kept: int
    batch: int
    ahead: int
    decoded_bytes: int  # of the host, for chunks that stay decoded
    room: Room

    @property
    def device_bytes(self) -> int:
        """What patterns take there."""
        buffers = 0 if self.tier == "device" else (self.ahead + 2) * self.batch
        return (self.kept + buffers) * self.pattern_bytes

    @property
    def host_bytes(self) -> int:
        """What patterns take of the host beside that: decoded chunks, page-locked buffers, and all of them where they
        lie there."""
        if self.room.shared or self.tier == "device":
            return self.decoded_bytes
        return (
            self.decoded_bytes
            + ((self.ahead + 2) * self.batch + (self.count if self.tier == "host" else 0)) * self.pattern_bytes
        )

    def __str__(self) -> str:
        all_of_them = f"{self.count} of {human(self.pattern_bytes)}, {human(self.count * self.pattern_bytes)}"
        place = "in memory" if self.room.shared else "on the device"
        free = f"{human(self.room.device)} free" + (
            "" if self.room.shared else f", {human(self.room.host)} of the host"
        )
        if self.tier == "device":
            return f"{all_of_them}, {place} ({free})"
        where = "on disk" if self.tier == "disk" else "in the host's memory"
        buffers = (
            f"{self.ahead + 2} buffers of {self.batch}, {human((self.ahead + 2) * self.batch * self.pattern_bytes)}"
        )
        stay = f"{self.kept} stay {place} ({human(self.kept * self.pattern_bytes)}), " if self.kept else ""
        passing = f"{'the others' if self.kept else 'all'} pass through {buffers}"
        decoded = f", {human(self.decoded_bytes)} for decoded chunks" if self.decoded_bytes else ""
        return f"{all_of_them}, {where}; {stay}{passing}{decoded} ({free})"


def choose(
    tier: str,
    count: int,
    pattern_bytes: int,
    batch: int,
    room: Room,
    *,
    in_memory: bool = False,
    chunked: bool = False,
) -> Holding:
    """The nearest tier that has room, or the one that is named; nothing stays on the device in one that is named.

    `in_memory`: they are an array of the host's already; `chunked`: a file has them in chunks. "host" is "device" where
    both share their memory.
    """
    total = count * pattern_bytes
    batch = min(batch, count)
    ahead = int(np.clip(AHEAD_BYTES // (batch * pattern_bytes), 1, MOST_AHEAD))
    named = tier != "auto"
    if room.shared and (tier == "host" or (tier == "auto" and in_memory)):
        tier = "device"
    if tier == "auto":
        fits_host = not room.shared and (in_memory or total <= SHARE * room.host)
        fits = total <= room.for_patterns or (ahead + 2) * batch >= count  # buffers for all would be no smaller
        tier = "device" if fits else "host" if fits_host else "disk"
    elif tier == "disk" and in_memory:
        tier = "device" if room.shared else "host"
    decoded = 0
    if chunked and tier == "disk":
        share = int(SHARE * room.host) - (ahead + 2) * batch * pattern_bytes
        decoded = max(0, min(total, share // 8 if room.shared or named else share))
        decoded = min(decoded, DECODED_BYTES) if room.shared or named else decoded
    left = max(0, room.for_patterns - (ahead + 2) * batch * pattern_bytes - (decoded if room.shared else 0))
    kept = count if tier == "device" else 0 if named else min(count, left // pattern_bytes)
    return Holding(tier, count, pattern_bytes, kept, batch, ahead, decoded, room)


def room_for(parameters: Parameters, batch: int, device: int, host: int, shared: bool) -> Room:
    """With what gradients, moments and the waves of a batch will take."""
    values = sum(int(array.nbytes) for _, array in parameters.items())
    waves = int(parameters.probe.nbytes) * int(parameters.object_phase.shape[0])
    reserved = 5 * values + (WAVES + 2 * parameters.slices) * waves * min(batch, PATTERNS)
    return Room(device, host, reserved + (CODE_BYTES if shared else 0), shared)


def hold(
    residency: Residency, parameters: Parameters, batch: int, sharing: int, backend: Backend, wanted: Wanted
) -> Placed:
    """Patterns where there is room for them, which is said in one line of the log; `sharing` processes share it."""
    if isinstance(wanted.source, PackedPatterns):
        return hold_all(backend, wanted)
    source = Held(wanted.source)
    count = max(1, int(np.count_nonzero(wanted.used)))
    shared, host = backend.name == "cpu", residency.host_free() // sharing
    room = room_for(parameters, batch, host if shared else backend.free_bytes() // sharing, host, shared)
    known = {"in_memory": source.in_memory, "chunked": source.is_chunked}
    holding = choose(residency.tier, count, source.pattern_bytes, batch, room, **known)
    if holding.tier != "device" and residency.tier == "auto":  # fewer bits may fit where their own type does not
        packed = packed_on_device(backend, wanted.source, wanted.storage, wanted.mask, wanted.used, room.for_patterns)
        if packed is not None:
            return Placed(packed)
    logger.info("patterns: %s", holding)
    if holding.tier == "device":
        return hold_all(backend, wanted)
    if holding.tier == "host":
        source = source.loaded()
    if holding.decoded_bytes:
        source = source.cached(holding.decoded_bytes)
    return hold_some(backend, source, wanted.used, holding.kept, holding.batch, holding.ahead)


__all__ = ["Holding", "Residency", "Room", "choose", "hold", "room_for"]
