"""Arrays of CpuBackend: recycled blocks, and how much the machine still has."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ptycupy.backends.cpu import half
from ptycupy.backends.cpu.scalar import BLOCK
from ptycupy.backends.host_arena import HostArena
from ptycupy.backends.interface import Array
from ptycupy.backends.recording import Recording


def _number(path: Path) -> int | None:
    """The integer in a file of the kernel; None where there is no such file or no limit."""
    try:
        text = path.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None


def _control_group_bytes() -> int | None:
    """What the limits of this process's control groups (containers, batch jobs) leave; None without limits."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return None
    left: list[int] = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            root, limit_name, used_name = Path("/sys/fs/cgroup"), "memory.max", "memory.current"
        elif "memory" in controllers.split(","):
            root, limit_name, used_name = (
                Path("/sys/fs/cgroup/memory"),
                "memory.limit_in_bytes",
                "memory.usage_in_bytes",
            )
        else:
            continue
        for folder in (root / path.lstrip("/"), root):
            limit, used = _number(folder / limit_name), _number(folder / used_name)
            if limit is not None and used is not None:
                left.append(max(limit - used, 0))
    return min(left, default=None)


def _linux_bytes() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None


def _windows_bytes() -> int:
    import ctypes

    class Status(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ulong), ("load", ctypes.c_ulong)] + [
            (name, ctypes.c_ulonglong)
            for name in ("total", "available", "page_total", "page_free", "virtual_total", "virtual_free", "extended")
        ]

    status = Status(length=ctypes.sizeof(Status))
    ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))  # type: ignore[attr-defined,unused-ignore]
    return int(status.available)


def free_bytes() -> int:
    """Memory that this process may still take, as far as the system says."""
    if sys.platform == "win32":
        return _windows_bytes()
    available = _linux_bytes()
    if available is None:  # macOS tells no more than the size without a tool of its own; half of it is usual to be free
        available = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    limited = _control_group_bytes()
    return available if limited is None else min(available, limited)


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


__all__ = ["Memory", "blocks", "flat", "free_bytes"]
