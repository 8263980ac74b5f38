"""A Device on the CPU: NumPy arrays, scipy FFTs, and kernels/*.cu compiled by g++ through shim.hpp.

Everything above the Device interface is the product's own code. Arrays start as NaN and have guard bytes on both
sides that are checked after every launch, so that reading scratch or writing outside an array fails the test.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import re
import subprocess
import weakref
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ptycupy.backends.cuda import sources
from ptycupy.backends.cuda.device import array_bytes

HERE = Path(__file__).parent
GUARD = 64  # bytes at least on each side of an array
ALIGNMENT = 64
PATTERN = 0xA5
FLAGS = ("-std=c++17", "-O1", "-shared", "-fPIC", "-fno-gnu-unique", "-fvisibility=hidden", "-ffp-contract=off")
WARNINGS = ("-Wall", "-Wextra", "-Werror", "-Wno-unused-function", "-Wno-maybe-uninitialized")

_BARRIER = re.compile(r"\b(store_part|block_sum|sum_parts|__syncthreads)\b")


def bodies(text: str) -> dict[str, str]:
    """The body of every kernel of a source, comments removed."""
    text = re.sub(r"//[^\n]*", "", text)
    found = {}
    for match in re.finditer(r"^KERNEL (\w+)\(.*?\)\s*\{", text, re.MULTILINE | re.DOTALL):
        depth, end = 1, match.end()
        while depth:
            depth += {"{": 1, "}": -1}.get(text[end], 0)
            end += 1
        found[match[1]] = text[match.end() : end]
    return found


def wrapper(op: str) -> str:
    """One exported function per kernel that runs it over a grid."""
    lines = [f'#include "{op}.cu"']
    for name, body in bodies(sources.read(f"{op}.cu")).items():
        barriers = "true" if _BARRIER.search(body) else "false"
        lines += [
            f'extern "C" __attribute__((visibility("default"))) void run_{name}(',
            "    void** arguments, unsigned grid, unsigned block, int schedule) {",
            f"    shim_run(Invoke<{name}>::thread, arguments, grid, block, schedule, {barriers});",
            "}",
        ]
    return "\n".join(lines) + "\n"


def build(op: str, defines: tuple[str, ...], folder: Path, text: str | None = None) -> Path:
    """The shared library of one op; built once per content of sources, shim and flags."""
    main = wrapper(op) if text is None else text
    parts = [main, *defines, *FLAGS, *(sources.read(f"{op}.cu"),), *map(sources.read, sources.headers())]
    parts += [(HERE / file).read_text() for file in ("shim.hpp", "shim.cpp")]
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:20]
    library = folder / f"{op}-{digest}.so"
    if not library.exists():
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f"{op}-{digest}.{os.getpid()}"
        (source := part.with_suffix(".cpp")).write_text(main)
        command = ["g++", *FLAGS, *WARNINGS, *(f"-D{define}" for define in defines), f"-I{sources.folder()}"]
        command += [f"-I{HERE}", str(source), str(HERE / "shim.cpp"), "-o", str(part.with_suffix(".so"))]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"g++ does not compile {op}.cu with {defines}:\n{done.stderr}")
        part.with_suffix(".so").replace(library)
        source.unlink()
    return library


@cache
def load(library: Path) -> ctypes.CDLL:
    return ctypes.CDLL(str(library))


class HostPlan:
    """Unnormalised FFTs in place, as cuFFT's."""

    def __init__(self, shape: tuple[int, int], batch: int, dtype: DTypeLike) -> None:
        self.expected = (batch, *shape), np.dtype(dtype)

    def forward(self, waves: NDArray[Any]) -> None:
        import scipy.fft

        assert (waves.shape, waves.dtype) == self.expected
        waves[...] = scipy.fft.fft2(waves, norm="backward")

    def inverse(self, waves: NDArray[Any]) -> None:
        import scipy.fft

        assert (waves.shape, waves.dtype) == self.expected
        waves[...] = scipy.fft.ifft2(waves, norm="forward")


class HostDevice:
    """schedule: 0 runs threads and blocks in ascending order, 1 descending, 2 the even ones first."""

    name = "host"

    def __init__(self, folder: Path, schedule: int = 0) -> None:
        self.folder = folder
        self.schedule = schedule
        self.launches: list[str] = []
        self._buffers: dict[int, tuple[weakref.ref[NDArray[np.uint8]], int, int]] = {}

    def alloc(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        nbytes = array_bytes(shape, dtype)
        buffer = np.full(2 * GUARD + nbytes + ALIGNMENT, PATTERN, np.uint8)
        start = GUARD + -(buffer.ctypes.data + GUARD) % ALIGNMENT
        buffer[start : start + nbytes] = 0xFF  # NaN, or -1
        # Every view keeps the buffer alive; it is forgotten with the last of them.
        key = id(buffer)
        self._buffers[key] = (weakref.ref(buffer), start, nbytes)
        weakref.finalize(buffer, self._buffers.pop, key, None)
        return buffer[start : start + nbytes].view(np.dtype(dtype)).reshape(shape)

    def upload(self, values: Any, dtype: DTypeLike | None) -> NDArray[Any]:
        host = np.asarray(values, dtype)
        array = self.alloc(host.shape, host.dtype.newbyteorder("="))
        array[...] = host
        return array

    def download(self, array: NDArray[Any]) -> NDArray[Any]:
        return array.copy()

    def copy(self, target: NDArray[Any], source: NDArray[Any]) -> None:
        np.copyto(target, source)

    def clear(self, array: NDArray[Any]) -> None:
        array.view(np.uint8)[...] = 0

    def kernel(self, op: str, name: str, defines: tuple[str, ...]) -> Any:
        function = getattr(load(build(op, defines, self.folder)), f"run_{name}")
        function.restype = None
        function.argtypes = [ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint, ctypes.c_int]
        return name, function

    def launch(self, kernel: Any, grid: int, block: int, shared: int, arguments: Sequence[Any]) -> None:
        name, function = kernel
        self.launches.append(name)
        values = [self._value(argument) for argument in arguments]
        pointers = (ctypes.c_void_p * len(values))(*(value.ctypes.data for value in values))
        function(pointers, grid, block, self.schedule)
        self.check_guards(name)

    @staticmethod
    def _value(argument: Any) -> NDArray[Any]:
        """One element in memory: the scalar itself, or the address of the array."""
        if argument is None:
            return np.zeros(1, np.uintp)
        if isinstance(argument, np.ndarray):
            return np.array([argument.ctypes.data], np.uintp)
        return np.array([argument])

    def check_guards(self, name: str) -> None:
        """Raises IndexError if a launch wrote outside an array."""
        for reference, start, nbytes in list(self._buffers.values()):
            buffer = reference()
            if buffer is None:
                continue
            if (buffer[:start] != PATTERN).any() or (buffer[start + nbytes :] != PATTERN).any():
                raise IndexError(f"{name} wrote outside an array of {nbytes} bytes")

    def fft_plan(self, shape: tuple[int, int], batch: int, dtype: DTypeLike) -> HostPlan:
        return HostPlan(shape, batch, dtype)

    def free_bytes(self) -> int:
        return 1 << 30

    def release(self) -> None:
        return

    def synchronize(self) -> None:
        return
