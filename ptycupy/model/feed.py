"""Patterns that do not all lie on the device: some stay there, the others come batch by batch, ahead of their use."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.backends.interface import Array, Backend, Mark
from ptycupy.data.held import SLAB_BYTES, Held
from ptycupy.errors import ConfigError, DataError, PtycupyError

Indices = NDArray[np.int32]


@dataclass
class Buffer:
    """Room on the device for the patterns of one batch, and the host's memory that they come through."""

    first: int  # its first slot
    array: Array  # [capacity, ky, kx], these slots
    staging: NDArray[Any]  # the same on the host
    free: Mark  # what has to be past before it may be overwritten
    sent: Mark  # the end of its last copy


@dataclass(frozen=True)
class Load:
    """A buffer with patterns in it, or on their way into it."""

    buffer: Buffer
    members: Indices  # sorted

    def holds(self, indices: Indices) -> bool:
        return bool(contained(indices, self.members))


class Feed:
    """Slots on a device for some patterns of a source, and a thread that fills them ahead of the computation.

    `patterns` [slots, ky, kx] holds those that stay, then buffers of `capacity` patterns each; `slots` [N] says where
    a pattern is. What `stage` was asked for last is there, for computations queued from then on. Used by one thread.
    """

    def __init__(
        self, backend: Backend, source: Held, kept: Indices, others: Indices, capacity: int, ahead: int
    ) -> None:
        """`kept` patterns are read now and stay; of the `others`, `ahead` batches are read before they are asked for.

        What is neither is never read. Raises DataError where patterns cannot be read, MemoryShortage where they do
        not fit.
        """
        self.source, self.kept, self.capacity = source, len(kept), capacity
        self._backend = backend
        self.patterns = backend.zeros((len(kept) + (ahead + 2) * capacity, *source.shape[1:]), source.dtype)
        self.slots = backend.asarray(fill_slots(backend, source, kept, self.patterns))
        self._comes = np.zeros(source.shape[0], bool)
        self._comes[others] = True
        # One more than is read ahead is in use, and one is for what nobody announced.
        self._spare, *self._buffers = (self._buffer(len(kept) + n * capacity) for n in range(ahead + 2))
        self._order: deque[Indices] = deque()  # what is read ahead and has not been taken
        self._ahead: _Ahead | None = None
        self._current: Load | None = None

    def expect(self, batches: Iterable[NDArray[np.integer[Any]]]) -> None:
        """Begins to read these batches, in the order in which they will be staged."""
        self.rest()
        missing = [self._missing(np.asarray(batch, np.int32)) for batch in batches]
        self._order = deque(members for members in missing if 0 < len(members) <= self.capacity)
        if self._order:
            self._ahead = _Ahead(self._fill, self._order, self._buffers)

    def stage(self, indices: NDArray[np.integer[Any]]) -> None:
        """Puts these patterns where `slots` says.

        Raises DataError where they cannot be read, ConfigError for more than `capacity` that do not stay.
        """
        missing = self._missing(np.asarray(indices, np.int32))
        if not len(missing) or (self._current is not None and self._current.holds(missing)):
            return
        if len(missing) > self.capacity:
            raise ConfigError(
                f"{len(missing)} patterns at once, but they stream in batches of {self.capacity}: "
                "Settings.batch_size times gradient_accumulation must be as many"
            )
        ahead = self._ahead
        if ahead is not None and self._order and contained(missing, self._order[0]):
            load = ahead.take()
            self._order.popleft()
            self._release()
        else:
            self._release()
            load = self._fill(self._spare, missing)
        self._current = load
        self._backend.wait(load.buffer.sent)
        self._backend.set_slots(self.slots, self._backend.asarray(load.members), load.buffer.first)

    def rest(self) -> None:
        """Stops reading ahead; returns when the thread has ended."""
        self._release()
        if self._ahead is not None:
            self._ahead.stop()
            # What is on its way arrives before anybody may take the memory back.
            for buffer in self._buffers:
                buffer.sent.wait()
        self._ahead = None
        self._order.clear()

    def _missing(self, indices: Indices) -> Indices:
        missing: Indices = np.sort(indices[self._comes[indices]])
        return missing

    def _release(self) -> None:
        """Hands the current buffer back, for when all that has been queued is past."""
        if self._current is None:
            return
        buffer, self._current = self._current.buffer, None
        buffer.free = self._backend.mark()
        if buffer is not self._spare and self._ahead is not None:
            self._ahead.give(buffer)

    def _buffer(self, first: int) -> Buffer:
        array = self.patterns[first : first + self.capacity]
        now = self._backend.mark()
        return Buffer(first, array, self._backend.staging(array), now, now)

    def _fill(self, buffer: Buffer, members: Indices) -> Load:
        """Reads patterns into a buffer and sends them on their way; in any thread."""
        buffer.sent.wait()
        count = len(members)
        try:
            buffer.staging[:count] = self.source.read(members)
        except DataError as error:
            raise DataError(f"{error} (while reading {_named(members)})") from error
        except (PtycupyError, MemoryError):
            raise
        except Exception as error:
            what = f"{type(error).__name__}: {error}"
            raise DataError(f"{self.source.path}: reading {_named(members)} failed ({what})") from error
        buffer.sent = self._backend.send(buffer.array[:count], buffer.staging[:count], buffer.free)
        return Load(buffer, members)


class _Ahead:
    """A thread that reads batches in their order into buffers as they become free; it ends with the last of them."""

    def __init__(
        self, fill: Callable[[Buffer, Indices], Load], order: Iterable[Indices], buffers: Iterable[Buffer]
    ) -> None:
        self._fill = fill
        self._todo, self._free = deque(order), deque(buffers)
        self._ready: deque[Load] = deque()
        self._error: BaseException | None = None
        self._stopped = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="ptycupy-patterns", daemon=True)
        self._thread.start()

    def take(self) -> Load:
        """The next batch, when it is there; raises what reading it raised."""
        with self._changed:
            self._changed.wait_for(lambda: self._ready or self._error is not None)
            if self._ready:
                return self._ready.popleft()
            assert self._error is not None
            raise self._error

    def give(self, buffer: Buffer) -> None:
        """A buffer that may be filled again once its `free` is past."""
        with self._changed:
            self._free.append(buffer)
            self._changed.notify_all()

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self._thread.join()

    def _work(self) -> None:
        while self._todo:
            with self._changed:
                self._changed.wait_for(lambda: self._free or self._stopped)
                if self._stopped:
                    return
                buffer = self._free.popleft()
            try:
                load = self._fill(buffer, self._todo.popleft())
            except BaseException as error:  # raised where the batch is taken
                with self._changed:
                    self._error = error
                    self._changed.notify_all()
                return
            with self._changed:
                self._ready.append(load)
                self._changed.notify_all()


def fill_slots(backend: Backend, source: Held, numbers: Indices, slots: Array) -> NDArray[np.int32]:
    """Reads these patterns into the first of the slots; the slot of every pattern [N], 0 for the others."""
    step = max(1, SLAB_BYTES // source.pattern_bytes)
    for start in range(0, len(numbers), step):
        part = numbers[start : start + step]
        backend.copy(slots[start : start + len(part)], backend.asarray(source.read(part)))
    table = np.zeros(source.shape[0], np.int32)
    table[numbers] = np.arange(len(numbers), dtype=np.int32)
    return table


def contained(indices: Indices, members: Indices) -> np.bool_:
    """Whether all indices are among the sorted members."""
    if not len(members):
        return np.bool_(not len(indices))
    places = np.minimum(np.searchsorted(members, indices), len(members) - 1)
    return np.all(members[places] == indices)


def _named(members: Indices) -> str:
    return (
        f"pattern {members[0]}" if len(members) == 1 else f"{len(members)} of the patterns {members[0]}..{members[-1]}"
    )


__all__ = ["Feed", "fill_slots"]
