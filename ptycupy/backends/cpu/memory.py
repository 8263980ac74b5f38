"""Arrays of CpuBackend, and its recycled blocks."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ptycupy.backends.cpu import half
from ptycupy.backends.cpu.scalar import BLOCK
from ptycupy.backends.host_arena import HostArena
from ptycupy.backends.host_memory import free_bytes
from ptycupy.backends.interface import Array, Mark
from ptycupy.backends.marks import Past
from ptycupy.backends.recording import Recording


def flat(array: Array) -> Array:
    """The same memory as one axis; raises ValueError where that would be a copy."""
    if not array.flags.c_contiguous:
        raise ValueError(f"an array of shape {array.shape} is not contiguous; use `asarray` of the backend")
    return array.reshape(-1)


def blocks(size: int) -> int:
    """How many blocks of scalar.BLOCK values hold this many."""
    return -(-size // BLOCK)


class Memory:
    """The methods of CpuBackend that make, move and recycle arrays."""

    tape = "full"
    graphs = False
    queues = False

    def __init__(self, dtype: DTypeLike) -> None:
        self.real: np.dtype[Any] = np.dtype(dtype)
        if self.real not in (np.float32, np.float64):
            raise ValueError(f"dtype {self.real}: the backends compute in float32 or float64")
        self.complex: np.dtype[Any] = np.result_type(self.real, np.complex64)
        self._arena = HostArena(np.empty)

    def _reals(self, values: Any) -> Array:
        return np.ascontiguousarray(values, self.real)

    def _zeros(self, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        scratch = self.empty(shape, dtype)
        scratch.fill(0)
        return scratch

    def asarray(self, values: Any, dtype: DTypeLike | None = None) -> Array:
        return np.ascontiguousarray(values, dtype)

    def to_host(self, array: Array) -> NDArray[Any]:
        return np.asarray(array)

    def staging(self, target: Array) -> NDArray[Any]:
        host: NDArray[Any] = target
        return host

    def send(self, target: Array, values: NDArray[Any], after: Mark) -> Mark:
        return Past()  # the values are the target's own

    def mark(self) -> Mark:
        return Past()

    def wait(self, mark: Mark) -> None:
        mark.wait()

    def zeros(self, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        return np.zeros(shape, dtype)

    def empty(self, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        return self._arena.empty(shape, dtype)

    def arena(self) -> AbstractContextManager[None]:
        return self._arena.scope()

    def fill(self, array: Array, value: float) -> None:
        array.fill(value)

    def copy(self, target: Array, source: Array) -> None:
        np.copyto(target, source)

    def add(self, target: Array, source: Array) -> None:
        np.add(target, source, out=target)

    def multiply(self, values: Array, factor: Array) -> None:
        values *= self.real.type(factor[0])

    def half_encode(self, waves: Array, halves: Array, scales: Array) -> None:
        half.encode(halves, scales, waves.view(self.real).reshape(halves.shape))

    def half_decode(self, halves: Array, scales: Array, waves: Array) -> None:
        half.decode(waves.view(self.real).reshape(halves.shape), halves, scales)

    def free_bytes(self) -> int:
        return free_bytes()

    def release(self) -> None:
        self._arena.clear()

    def synchronize(self) -> None:
        return

    def record(self, queue: Callable[[], None]) -> Recording:
        return Recording(queue)  # the same calls once more: there is no launch to save


__all__ = ["Memory", "blocks", "flat"]
