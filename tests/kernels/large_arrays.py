"""Arrays of more than 2^31 elements without memory behind them, and launches of which the last blocks alone run."""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from cuda_on_cpu import host_device
from cuda_on_cpu.host_device import HostDevice, compile_once, load, wrapped
from numpy.typing import DTypeLike, NDArray

from ptycupy.backends.cuda import CudaBackend, sources
from ptycupy.backends.cuda.device import array_bytes

WINDOW, MODES, CANVAS = (64, 64), 2, (70, 67)
PATTERNS = 2**31 // (MODES * WINDOW[0] * WINDOW[1]) + 3
NORESERVE = 0x4000  # Linux: take no memory into account for pages that are never written
BLOCKS = 64  # that run of a launch; a pattern has 1, 2, 4, 16, or 32
OPS = [
    "transmit",
    "propagate",
    "intensity",
    "shift",
    "patch",
    "take",
    "patterns",
    "transfer",
    "dose",
    "gaussian",
    "patch_gather",
    "transmission",
    "adam",
    "combine",
    "add",
    "scale",
    "pack",
    "clamp",
    "relax",
    "vary",
    "descan",
    "half",
    "reduce",
]


class NoPlan:
    """Transforms are not what is tested here."""

    def forward(self, waves: NDArray[Any]) -> None: ...

    def inverse(self, waves: NDArray[Any]) -> None: ...


class LastBlocks(HostDevice):
    """Arrays of zeros of any size, and launches of which the last blocks run."""

    def alloc(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | NORESERVE
        count = array_bytes(shape, dtype) // np.dtype(dtype).itemsize
        memory = mmap.mmap(-1, max(array_bytes(shape, dtype), 1), flags=flags)
        return np.frombuffer(memory, dtype, count).reshape(shape)

    def clear(self, array: NDArray[Any]) -> None:
        """New arrays are zero, and writing zeros would take memory."""

    def kernel(self, op: str, name: str, defines: tuple[str, ...]) -> Any:
        generic = len(defines) > 1  # an element type, or a length
        ops = [op] if generic else [o for o in OPS if not sources.generic(o)]
        library = load(built(self.folder, ops, defines))
        function = getattr(library, f"run_{name}")
        function.restype, function.argtypes = (
            None,
            [ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint, ctypes.c_size_t, ctypes.c_int],
        )
        return library, function

    def launch(self, kernel: Any, grid: int, block: int, shared: int, arguments: Sequence[Any]) -> None:
        library, function = kernel
        ctypes.c_uint.in_dll(library, "shim_first_block").value = max(grid - BLOCKS, 0)
        values = [self._value(argument) for argument in arguments]
        function((ctypes.c_void_p * len(values))(*(value.ctypes.data for value in values)), grid, block, shared, 0)

    def fft_plan(self, shape: tuple[int, int], batch: int, dtype: DTypeLike) -> Any:
        return NoPlan()


def built(folder: Path, ops: Sequence[str], defines: tuple[str, ...]) -> Path:
    """The shared library of some ops whose launches begin at block `shim_first_block`."""
    plain = (host_device.HERE / "shim.cpp").read_text()
    variable = '\nextern "C" {\n__attribute__((visibility("default"))) unsigned shim_first_block = 0;\n}\n'
    text = plain.replace("\nnamespace {", f"{variable}\nnamespace {{", 1)
    text = text.replace("for (unsigned b = 0; b < grid; ++b)", "for (unsigned b = shim_first_block; b < grid; ++b)", 1)
    assert len(text) == len(plain) + len(variable) + len("shim_first_block") - 1
    shim = compile_once(folder, "shim", ".o", text, *host_device.WARNINGS, "-c")
    includes = [f'#include "{header}"' for header in sources.headers()]
    main = "\n".join([*includes, *(wrapped(op, sources.read(f"{op}.cu")) for op in ops), ""])
    options = (*host_device.WARNINGS, *(f"-D{define}" for define in defines), "-shared", str(shim))
    return compile_once(folder, "last_blocks", ".so", main, *options)


class Batch:
    """Arrays of n patterns, all zero but the last, which is the same for every n."""

    def __init__(self, backend: CudaBackend, n: int) -> None:
        self.backend, self.n = backend, n
        self.random = np.random.default_rng(0)
        self.indices = self.last((), np.int32, 1)
        self.corners = backend.zeros((2, 2), np.int32)
        self.corners[1] = (5, 3)  # the last pattern's place; all others lie at 0, 0

    def last(self, shape: tuple[int, ...], dtype: DTypeLike, value: Any = None) -> NDArray[Any]:
        """[n, *shape]"""
        array = self.backend.zeros((self.n, *shape), dtype)
        array[-1] = self.drawn(shape, dtype) if value is None else value
        return array

    def drawn(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        values = self.random.uniform(0.5, 1.5, shape)
        if np.dtype(dtype).kind == "c":
            return (values + 1j * self.random.uniform(0.5, 1.5, shape)).astype(dtype)
        return (values * (1 if np.dtype(dtype).kind == "f" else 100)).astype(dtype)

    def waves(self, modes: int = MODES) -> NDArray[Any]:
        return self.last((1, modes, *WINDOW), np.complex64)

    def images(self) -> NDArray[Any]:
        return self.last((MODES, *WINDOW), np.float32).reshape(-1, *WINDOW)  # twice as many: floats are half as large

    def put(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        array = self.backend.zeros(shape, dtype)
        array[...] = self.drawn(shape, dtype)
        return array
