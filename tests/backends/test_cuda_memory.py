"""Memory of the CUDA backend without a GPU: what is told where there is too little, and what is used again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from backends.fake_cupy import CudaError, FakeCupy, OutOfMemoryError

from ptycupy.backends.cuda.cupy_device import CupyDevice
from ptycupy.backends.cuda.device import is_out_of_memory
from ptycupy.backends.cuda.nvrtc import Nvrtc
from ptycupy.backends.interface import Backend
from ptycupy.errors import ResourceError

FAILURES = (
    OutOfMemoryError("Out of memory allocating 100 bytes"),
    CudaError("cudaErrorMemoryAllocation: out of memory"),
    CudaError("CUFFT_ALLOC_FAILED"),
    CudaError("CUDA_ERROR_OUT_OF_MEMORY: out of memory"),
)


@pytest.mark.parametrize("failure", FAILURES, ids=str)
def test_fault_50_out_of_memory_is_a_resource_error_with_numbers(nvrtc: Nvrtc, failure: Exception) -> None:
    cupy = FakeCupy(failure=failure)
    device = CupyDevice(cupy, 0)
    takes: dict[str, Callable[[], Any]] = {
        r"an array \(1024, 1024\) of complex64: 8.0 MiB": lambda: device.alloc((1024, 1024), "complex64"),
        r"an array \(256, 512\) of float64: 1.0 MiB": lambda: device.upload(np.zeros((256, 512)), None),
        r"an FFT plan of 8 x 128 x 128: 1.0 MiB": lambda: device.fft_plan((128, 128), 8, "complex64"),
    }
    for attempt, (message, take) in enumerate(takes.items(), 1):
        with pytest.raises(ResourceError, match=f"cuda:0: out of GPU memory for {message} wanted, 4.0 MiB free"):
            take()
        assert cupy.pool.freed == attempt


def test_fault_50_other_errors_pass_through(nvrtc: Nvrtc) -> None:
    failure = CudaError("cudaErrorIllegalAddress: an illegal memory access was encountered")
    with pytest.raises(CudaError, match="IllegalAddress"):
        CupyDevice(FakeCupy(failure=failure), 0).alloc((2,), "float32")
    assert not is_out_of_memory(ValueError("CUFFT_INVALID_SIZE"))


def test_fault_50_arena_is_freed_after_an_error(host_cuda_backend: Callable[[str], Backend]) -> None:
    backend = host_cuda_backend("float32")
    idle = backend.free_bytes()

    def fail() -> None:
        with backend.arena():
            backend.empty((1000, 1000), "float32")
            raise ResourceError("out of memory")

    with pytest.raises(ResourceError):
        fail()
    assert backend.free_bytes() <= idle


def test_arena_recycles_blocks(host_cuda_backend: Callable[[str], Backend]) -> None:
    backend = host_cuda_backend("float64")

    def batch() -> set[int]:
        with backend.arena():
            arrays = [backend.empty((length, 100), "complex128") for length in (3, 40, 5)]
            addresses = {array.ctypes.data for array in arrays}
            assert len(addresses) == 3
        return addresses

    first = batch()
    assert all(batch() == first for _ in range(3))
    with backend.arena():
        outer = backend.empty((40, 100), "complex128")
        with backend.arena():
            inner = backend.empty((40, 100), "complex128")
        assert inner.ctypes.data != outer.ctypes.data
