"""FAULTS row 42: the kernels address arrays of more than 2^31 elements.

Such arrays are mapped without memory behind them, and only the last blocks of each launch run: what they compute for
the last pattern, beyond element 2^31, must be what a batch of that pattern alone gives.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kernels.large_arrays import CANVAS, MODES, PATTERNS, WINDOW, Batch, LastBlocks
from numpy.typing import NDArray

from ptycupy.backends.cuda import CudaBackend, wave_steps, whole_waves
from ptycupy.backends.interface.losses import Likelihood
from ptycupy.data.counts import PackedPatterns

Outputs = list[NDArray[Any]]
ELEMENTS = 2**31 + 1000


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


def detector(b: Batch) -> Outputs:
    """Waves on the detector, and waves on the way to it along y, against patterns that are decoded already."""
    measured, occupancy = b.last(WINDOW, np.float32, 0.5), b.put((1,), np.float32)
    likelihood = Likelihood("gaussian", 0.5)
    pull, _ = b.backend._residual(b.waves(), 1.0, occupancy, measured, likelihood)
    waves = b.waves()
    wave_steps.detect(b.backend, waves, occupancy, measured, likelihood)
    return [pull[-1], waves[-1]]


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


def halves(b: Batch) -> Outputs:
    waves = b.waves().reshape(-1, *WINDOW)
    encoded, scales = b.backend.empty((*waves.shape, 2), np.float16), b.backend.empty(waves.shape[:1], np.float32)
    b.backend.half_encode(waves, encoded, scales)
    decoded = b.backend.empty(waves.shape, np.complex64)
    b.backend.half_decode(encoded, scales, decoded)
    return [encoded[-1], scales[-1:], decoded[-1]]


def lines(b: Batch) -> Outputs:
    """Transforms of rows and of columns."""
    waves = b.waves()
    wave_steps.transform(b.backend, waves, inverse=False)
    given = np.array(waves[-1])
    wave_steps.transform(b.backend, waves, inverse=True)
    return [given, waves[-1]]


def steps(b: Batch, keep: bool = False) -> Outputs:
    """The chain in steps of rows and columns, from the probe's spectrum to that of its gradient."""
    transmission, transfer = b.put((1, 2, *CANVAS), np.complex64), b.last(WINDOW, np.complex64)[None]
    where = (transmission, transfer, b.corners, b.indices)
    waves, _ = wave_steps.shifted(b.backend, b.put((MODES, *WINDOW), np.complex64), b.last((2,), np.float32))
    exits, (entries, spectra) = wave_steps.multislice_forward(b.backend, waves, *where, keep, spectra=True)
    grad, grad_transfer = (b.backend.zeros(array.shape, np.complex64) for array in (transmission, transfer))
    given = [np.array(waves[-1]) for waves in (exits, entries.get(0), entries.get(1), *spectra)]
    wanted = (grad, grad_transfer if keep else None, True)
    kept = wave_steps.Kept(entries, spectra)
    back = wave_steps.multislice_backward(b.backend, b.waves(), kept, *where, *wanted, spectra=True)
    assert back is not None
    return [*given, back[-1], grad, *([grad_transfer[0, -1]] if keep else [])]


def refined_steps(b: Batch) -> Outputs:
    """The same with the gradient of the transfer function."""
    return steps(b, keep=True)


def whole(b: Batch) -> Outputs:
    """The same in one launch each way, from the probe to the detector and back."""
    transmission, transfer = b.put((1, 2, *CANVAS), np.complex64), b.last(WINDOW, np.complex64)[None]
    where = (transmission, transfer, b.corners, b.indices)
    waves = b.backend.empty((b.n, 1, MODES, *WINDOW), np.complex64)
    spectrum, shifts = b.put((MODES, *WINDOW), np.complex64), b.last((2,), np.float32)
    far, (first, entries) = whole_waves.multislice_forward(b.backend, waves, *where, spectrum, shifts)
    assert entries is not None
    given = [np.array(far[-1]), np.array(first[-1]), np.array(entries[-1])]
    grad = b.backend.zeros(transmission.shape, np.complex64)
    ends = b.last(WINDOW, np.float32), b.put((1,), np.float32)
    back = whole_waves.multislice_backward(b.backend, far, (first, entries), *where, grad, True, *ends)
    assert back is not None
    return [*given, back[-1], grad]


CASES = (
    transmit, propagate, intensity, shift, descan, vary, patch, transfer, patterns, packed_patterns, detector, take,
    images, halves, lines, steps, refined_steps, whole,
)  # fmt: skip


pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="arrays without memory behind them are Linux's")


@pytest.fixture(scope="module")
def backend(kernel_folder: Path) -> CudaBackend:
    return CudaBackend(LastBlocks(kernel_folder, shared_memory=232448), deterministic=False)


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
