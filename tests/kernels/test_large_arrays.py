"""FAULTS row 42: the kernels address arrays of more than 2^31 elements.

Such arrays are mapped without memory behind them, and only the last blocks of each launch run: what they compute for
the last pattern, beyond element 2^31, must be what a batch of that pattern alone gives.
"""

from __future__ import annotations

import ctypes
import mmap
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cuda_on_cpu import host_device
from cuda_on_cpu.host_device import HostDevice, compile_once, load, wrapped
from numpy.typing import DTypeLike, NDArray

from ptycupy.backends.cuda import CudaBackend, sources
from ptycupy.backends.cuda.device import array_bytes
from ptycupy.data.counts import PackedPatterns

WINDOW, MODES, CANVAS = (64, 64), 2, (70, 67)
PATTERNS = 2**31 // (MODES * WINDOW[0] * WINDOW[1]) + 3
ELEMENTS = 2**31 + 1000
NORESERVE = 0x4000  # Linux: take no memory into account for pages that are never written
BLOCKS = 64  # that run of a launch; a pattern has 16, or 32
OPS = [
    "transmit",
    "propagate",
    "intensity",
    "shift",
    "patch",
    "take",
    "patterns",
    "packed_patterns",
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
        generic = any(define.startswith("VALUE=") for define in defines)
        ops = [op] if generic else [o for o in OPS if "VALUE" not in sources.read(f"{o}.cu")]
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


Outputs = list[NDArray[Any]]


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


def transmit(b: Batch) -> Outputs:
    transmission, waves = b.put((1, 2, *CANVAS), np.complex64), b.waves()
    exits = b.backend.transmit_forward(waves, transmission, 1, b.corners, b.indices)
    grad = b.backend.zeros(transmission.shape, np.complex64)
    given = np.array(exits[-1])
    back = b.backend.transmit_backward(exits, waves, transmission, 1, b.corners, b.indices, grad, True)
    return [given, back[-1], grad]


def propagate(b: Batch) -> Outputs:
    transfer, waves = b.last(WINDOW, np.complex64)[None], b.waves()
    grad_transfer = b.backend.zeros(transfer.shape, np.complex64)
    moved, spectra = b.backend.propagate_forward(waves, transfer, 0, True)
    given = np.array(moved[-1])
    back = b.backend.propagate_backward(moved, transfer, 0, spectra, grad_transfer)
    return [given, back[-1], grad_transfer[0, -1]]


def intensity(b: Batch) -> Outputs:
    waves, occupancy = b.waves(), b.put((1,), np.float32)
    found = b.backend.intensity_forward(waves, occupancy)
    return [found[-1], b.backend.intensity_backward(found, waves, occupancy)[-1]]


def shift(b: Batch) -> Outputs:
    waves, _ = b.backend.shift_forward(b.put((MODES, *WINDOW), np.complex64), b.last((2,), np.float32))
    return [waves[-1]]


def descan(b: Batch) -> Outputs:
    waves, moved = b.waves(), b.last((2,), np.float32)
    ramped = b.backend.descan_forward(waves, moved, (64.0, 64.0))
    return [np.array(ramped[-1]), b.backend.descan_backward(ramped, waves, moved, (64.0, 64.0), None)[-1]]


def vary(b: Batch) -> Outputs:
    waves, weights = b.waves(3), b.last((1,), np.float32)
    varied = b.backend.vary_forward(waves, weights)
    return [varied[-1], b.backend.vary_backward(varied, waves, weights, None)[-1]]


def patch(b: Batch) -> Outputs:
    field = b.put((1, 2 * MODES, *CANVAS), np.float32)
    patches = b.backend.patch_forward(field, WINDOW, b.corners, b.indices)
    grad = b.backend.zeros(field.shape, np.float32)
    b.backend.patch_backward(patches, b.corners, b.indices, grad)
    return [patches[-1], grad]


def transfer(b: Batch) -> Outputs:
    thickness, tables = b.put((1,), np.float32), [b.put(shape, np.float32) for shape in (WINDOW, WINDOW, (64,), (64,))]
    return [b.backend.transfer_forward(b.last((2,), np.float32), thickness, *tables)[0, -1]]


def patterns(b: Batch) -> Outputs:
    """The stored patterns are what is large; a batch is one of them."""
    stored, here = b.last((2 * MODES * WINDOW[0], WINDOW[1]), np.uint8), b.backend.zeros((1,), np.int32)
    here[0] = b.n - 1
    mask, weights = b.put(stored.shape[1:], np.uint8), b.last((), np.uint8, 1)
    return [b.backend.patterns(stored, here, b.last((), np.float32, 0.5), mask, weights)]


def packed_patterns(b: Batch) -> Outputs:
    """Both the words and the list have more than 2^31 elements; a batch is the last pattern, whose entries end it."""
    detector, here = (2 * MODES * WINDOW[0], WINDOW[1]), b.backend.zeros((1,), np.int32)
    here[0] = b.n - 1
    entries = 3 if b.n == 1 else ELEMENTS
    words = b.last((detector[0] * detector[1] // 2,), np.uint32, 0)
    words[-1, ::7] = 0xFFFF0003
    offsets, pixels = b.backend.zeros((b.n + 1,), np.uint64), b.backend.zeros((entries,), np.uint16)
    offsets[-2:], pixels[-3:] = (entries - 3, entries), (1, 15, 15)
    extras = b.backend.zeros((entries,), np.uint8)
    extras[-3:] = 7, 255, 9
    packed = PackedPatterns(16, words, offsets, pixels, extras, detector, np.dtype(np.uint32))
    mask, weights = b.put(detector, np.uint8), b.last((), np.uint8, 1)
    listed = replace(packed, bits=0, words=None)
    scale = b.last((), np.float32, 0.5)
    return [b.backend.packed_patterns(stored, here, scale, mask, weights) for stored in (packed, listed)]


def take(b: Batch) -> Outputs:
    table, here = b.last((2 * MODES * WINDOW[0] * WINDOW[1],), np.float32), b.backend.zeros((1,), np.int32)
    here[0] = b.n - 1
    rows = b.backend.take_forward(table, here)
    b.backend.take_backward(rows, here, table)
    return [rows, table[-1]]


def images(b: Batch) -> Outputs:
    intensity, measured = b.images(), b.images()
    statistics = b.put((3,), np.float64)
    grad = b.backend.gaussian_gradient(intensity, measured, 0.5, statistics, 1.0)
    factors = b.last((MODES, 1), np.float32).reshape(-1, 1)
    return [grad[-1], b.backend.dose_forward(intensity, factors)[-1]]


CASES = (
    transmit, propagate, intensity, shift, descan, vary, patch, transfer, patterns, packed_patterns, take, images,
)  # fmt: skip


pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="arrays without memory behind them are Linux's")


@pytest.fixture(scope="module")
def backend(kernel_folder: Path) -> CudaBackend:
    return CudaBackend(LastBlocks(kernel_folder), deterministic=False)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_fault_42_the_last_pattern_of_a_large_array(backend: CudaBackend, case: Callable[[Batch], Outputs]) -> None:
    for large, alone in zip(case(Batch(backend, PATTERNS)), case(Batch(backend, 1)), strict=True):
        assert np.abs(alone).max() > 0
        np.testing.assert_array_equal(large, alone)


def test_fault_42_gathered_sums_of_a_large_array(kernel_folder: Path) -> None:
    """The repeatable scatter, which reads all patches of a pixel: one pixel of one that is beyond element 2^31."""
    backend = CudaBackend(LastBlocks(kernel_folder), deterministic=True)
    field = backend.zeros((1, 2**31 // 256, 16, 17), np.float32)
    patches, corners = backend.zeros((1, 1, *field.shape[1:3], 16), np.float32), backend.zeros((1, 2), np.int32)
    patches[..., -1, -1, -1], corners[0, 1] = 3, 1
    backend.patch_backward(patches, corners, backend.zeros((1,), np.int32), field)
    assert field[0, -1, -1, -1] == 3


FLAT: dict[str, Callable[[CudaBackend, Callable[..., Any]], Any]] = {
    "add": lambda b, a: b.add(a("float32"), a("float32")),
    "combine": lambda b, a: b.combine(a("float32"), a("float32"), 0.5, 2.0),
    "adam": lambda b, a: b.adam(*(a("float32") for _ in range(4)), 1e-2, 3, 0.9, 0.999, 1e-8),
    "clamp": lambda b, a: b.clamp(a("float32"), 1.0, 1.1, 0.0),
    "relax": lambda b, a: b.relax(a("float32"), a("float32"), 0.25),
    "scale": lambda b, a: b.scale(a("complex64"), 3.0),
    "transmission": lambda b, a: b.transmission_forward(a("float32"), a("float32")),
    "transmission_backward": lambda b, a: b.transmission_backward(a("complex64"), *(a("float32") for _ in range(4))),
    "pack": lambda b, a: b.pack(a("float32")),
    "unpack": lambda b, a: b.unpack(a("float32"), a("complex64")),
}


@pytest.mark.parametrize("name", FLAT)
def test_fault_42_the_last_elements_of_a_large_array(backend: CudaBackend, name: str) -> None:
    def run(size: int) -> Outputs:
        random, made = np.random.default_rng(1), []

        def array(dtype: str) -> NDArray[Any]:
            made.append(backend.zeros((size,), dtype))
            made[-1][-9:] = random.uniform(0.5, 1.5, 9)
            return made[-1]

        result = FLAT[name](backend, array)
        return [values[-9:] for values in (*made, *([] if result is None else [result]))]

    for large, small in zip(run(ELEMENTS), run(9), strict=True):
        np.testing.assert_array_equal(large, small)
