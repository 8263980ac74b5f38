"""The Device that CuPy gives; the only module that imports CuPy."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ptycupy.backends.cuda.compile import Compiler
from ptycupy.backends.cuda.device import Kernel, Plan, array_bytes, memory_guard
from ptycupy.backends.cuda.libraries import cupy_major, preload
from ptycupy.backends.cuda.nvrtc import nvrtc_of
from ptycupy.backends.interface import Array
from ptycupy.errors import ResourceError

_NULL = np.uint64(0)


def import_cupy() -> Any:
    """CuPy with the libraries of its own CUDA major; raises ResourceError where it is not installed or broken."""
    if "cupy" not in sys.modules:
        major = cupy_major()
        if major is not None:
            preload(major)
    try:
        return importlib.import_module("cupy")
    except ImportError as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise ResourceError(
            f"CuPy cannot be imported ({lines[0]}): pip install 'ptycupy[cuda12]' or 'ptycupy[cuda13]'"
        ) from error


class CupyPlan:
    """A cuFFT plan owned by us; its work area comes from CuPy's pool, so that no allocation happens later."""

    def __init__(self, cupy: Any, shape: tuple[int, int], batch: int, dtype: np.dtype[Any]) -> None:
        cufft = cupy.cuda.cufft
        self._forward, self._inverse = cufft.CUFFT_FORWARD, cufft.CUFFT_INVERSE
        kind = cufft.CUFFT_C2C if dtype == np.complex64 else cufft.CUFFT_Z2Z
        axes = [length for length in shape if length > 1]  # cuFFT need not know axes of length 1
        size = shape[0] * shape[1]
        self._plan = (
            cufft.PlanNd(axes, axes, 1, size, axes, 1, size, kind, batch, "C", len(axes) - 1, None) if axes else None
        )

    def forward(self, waves: Array) -> None:
        if self._plan is not None:
            self._plan.fft(waves, waves, self._forward)

    def inverse(self, waves: Array) -> None:
        if self._plan is not None:
            self._plan.fft(waves, waves, self._inverse)


class CupyDevice:
    """One GPU. Everything is queued on CuPy's current stream, behind what the caller queued there."""

    def __init__(self, cupy: Any, index: int) -> None:
        """Raises ResourceError for a device that the compiler no longer knows or without its NVRTC."""
        self.name = f"cuda:{index}"
        self._cupy = cupy
        self._device = cupy.cuda.Device(index)
        major = cupy.cuda.runtime.runtimeGetVersion() // 1000
        self._compiler = Compiler(nvrtc_of(major), int(self._device.compute_capability))
        self._modules: dict[tuple[str, tuple[str, ...]], Any] = {}

    def alloc(self, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        nbytes = array_bytes(shape, dtype)
        with self._device, memory_guard(self, f"an array {shape} of {np.dtype(dtype)}", nbytes):
            return self._cupy.empty(shape, dtype)

    def upload(self, values: Any, dtype: DTypeLike | None) -> Array:
        if not hasattr(values, "__cuda_array_interface__"):
            values = np.asarray(values, dtype)
            values = np.ascontiguousarray(values, values.dtype.newbyteorder("="))
        size = array_bytes(values.shape, values.dtype if dtype is None else dtype)
        with self._device, memory_guard(self, f"an array {values.shape} of {values.dtype}", size):
            return self._cupy.ascontiguousarray(self._cupy.asarray(values, dtype))

    def download(self, array: Array) -> NDArray[Any]:
        with self._device:
            host: NDArray[Any] = self._cupy.asnumpy(array)
        return host

    def copy(self, target: Array, source: Array) -> None:
        with self._device:
            target.data.copy_from_device_async(source.data, source.nbytes)

    def clear(self, array: Array) -> None:
        with self._device:
            array.data.memset_async(0, array.nbytes)

    def kernel(self, op: str, name: str, defines: tuple[str, ...]) -> Kernel:
        key = (op, defines)
        with self._device, memory_guard(self, f"the code of {op}.cu", 0):
            if key not in self._modules:
                # From memory and not from a file: the cache folder may be missing or read-only.
                module = self._cupy.cuda.Module()
                module.load(self._compiler.image(op, defines))
                self._modules[key] = module
            return self._modules[key].get_function(name)

    def launch(self, kernel: Kernel, grid: int, block: int, shared: int, arguments: Sequence[Any]) -> None:
        values = tuple(_NULL if argument is None else argument for argument in arguments)
        with self._device, memory_guard(self, "a kernel launch", 0):
            kernel((grid,), (block,), values, shared_mem=shared)

    def fft_plan(self, shape: tuple[int, int], batch: int, dtype: DTypeLike) -> Plan:
        dtype = np.dtype(dtype)
        nbytes = array_bytes((batch, *shape), dtype)  # the work area is about as large as the batch
        with self._device, memory_guard(self, f"an FFT plan of {batch} x {shape[0]} x {shape[1]}", nbytes):
            return CupyPlan(self._cupy, shape, batch, dtype)

    def free_bytes(self) -> int:
        with self._device:
            pool = self._cupy.get_default_memory_pool()
            free = int(self._device.mem_info[0]) + int(pool.free_bytes())
            limit = int(pool.get_limit())
            return min(free, limit - int(pool.used_bytes())) if limit else free

    def release(self) -> None:
        with self._device:
            self._cupy.get_default_memory_pool().free_all_blocks()

    def synchronize(self) -> None:
        with self._device:
            self._cupy.cuda.get_current_stream().synchronize()


__all__ = ["CupyDevice", "CupyPlan", "import_cupy"]
