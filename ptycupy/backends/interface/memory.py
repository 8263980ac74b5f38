"""Arrays of a device."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ptycupy.backends.interface.array import Array
from ptycupy.backends.recording import Recording


class Mark(Protocol):
    """A point in what a device has been given to do."""

    def wait(self) -> None:
        """Returns when the device has come that far; any thread may wait."""
        ...


class Memory(Protocol):
    """Arrays of one device in one precision (`real` float32 with `complex` complex64, or doubles)."""

    name: str  # "cpu" or "cuda:0"
    real: np.dtype[Any]
    complex: np.dtype[Any]
    fft: str  # which transforms it was told to take
    tape: str  # how waves wait for the adjoint of the specimen: a name of `backends.tapes`
    graphs: bool  # whether work that repeats should be recorded
    queues: bool  # whether calls return before their work is done, so that whoever reads waits for all of it

    def asarray(self, values: Any, dtype: DTypeLike | None = None) -> Array:
        """A C-contiguous device array of these values; a NumPy array of that dtype is not copied on the CPU."""
        ...

    def to_host(self, array: Array) -> NDArray[Any]:
        """A NumPy array with these values (waits for the device)."""
        ...

    def staging(self, target: Array) -> NDArray[Any]:
        """Host memory like `target` that `send` copies from: page-locked on a GPU, the target itself on the CPU."""
        ...

    def send(self, target: Array, values: NDArray[Any], after: Mark) -> Mark:
        """Copies values (a part of `staging`) to the device beside its computations, once `after` is past; any thread.

        The mark returned is the end of the copy: until then the values must stay as they are.
        """
        ...

    def mark(self) -> Mark:
        """Everything that has been queued for computation so far."""
        ...

    def wait(self, mark: Mark) -> None:
        """What is queued for computation from now on begins after the mark; the host does not wait."""
        ...

    def zeros(self, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        """A new zeroed array that its owner keeps: parameters, gradients, optimizer state."""
        ...

    def empty(self, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        """Uninitialised scratch; inside `arena()` the memory is reused when the arena ends."""
        ...

    def arena(self) -> AbstractContextManager[None]:
        """While open, `empty` hands out recycled blocks; at its end all of them may be handed out again."""
        ...

    def fill(self, array: Array, value: float) -> None: ...

    def copy(self, target: Array, source: Array) -> None: ...

    def add(self, target: Array, source: Array) -> None:
        """target += source, real or complex, same shape and dtype (also float64 statistics)."""
        ...

    def multiply(self, values: Array, factor: Array) -> None:
        """values *= factor [1] float64 on the device; real or complex."""
        ...

    def half_encode(self, waves: Array, halves: Array, scales: Array) -> None:
        """Overwrites halves float16 [..., y, x, 2] (real, imaginary) and real scales [...] with waves [..., y, x].

        halves = waves / scale rounded to nearest, the scale a power of two that brings the largest component of each
        wave to 2^14..2^15 (1 where that is 0 or not finite). Relative error 2^-11 down to 2^-29 of the largest.
        """
        ...

    def half_decode(self, halves: Array, scales: Array, waves: Array) -> None:
        """Overwrites waves with halves * scales; NaN and infinity stay what they are."""
        ...

    def free_bytes(self) -> int:
        """Memory that a reconstruction may still take."""
        ...

    def release(self) -> None:
        """Give scratch memory back: what to do before a smaller second try."""
        ...

    def synchronize(self) -> None: ...

    def record(self, queue: Callable[[], None]) -> Recording:
        """What `queue` asks of this backend, to be launched as one as often as wanted; on CUDA none of it runs now.

        Scalars and addresses stay what they are now, arrays are read when it is launched. `queue` must have run once
        before, so that kernels, plans and scratch are there. Raises NotRecordable where it needs the host: an upload,
        a download, a wait.
        """
        ...
