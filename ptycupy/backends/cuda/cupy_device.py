"""The Device that CuPy gives; the only module that imports CuPy."""

from __future__ import annotations

import importlib
import logging
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, cast

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ptycupy.backends.collective import Connector
from ptycupy.backends.cuda.collective import NcclConnector
from ptycupy.backends.cuda.compile import Compiler
from ptycupy.backends.cuda.device import Kernel, Plan, array_bytes, is_out_of_memory, memory_guard
from ptycupy.backends.cuda.libraries import cupy_major, preload
from ptycupy.backends.cuda.nvrtc import nvrtc_of
from ptycupy.backends.interface import Array, Mark
from ptycupy.backends.recording import Recorder, Recording
from ptycupy.errors import NotRecordable, ResourceError

logger = logging.getLogger("ptycupy.backends")
_NULL = np.uint64(0)
UNASKED = 48 * 1024  # bytes of dynamic shared memory that a launch gets without opting in


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

    def __init__(self, cupy: Any, recorder: Recorder, shape: tuple[int, int], batch: int, dtype: np.dtype[Any]) -> None:
        self._recorder = recorder
        cufft = cupy.cuda.cufft
        self._forward, self._inverse = cufft.CUFFT_FORWARD, cufft.CUFFT_INVERSE
        kind = cufft.CUFFT_C2C if dtype == np.complex64 else cufft.CUFFT_Z2Z
        axes = [length for length in shape if length > 1]  # cuFFT need not know axes of length 1
        size = shape[0] * shape[1]
        self._plan = (
            cufft.PlanNd(axes, axes, 1, size, axes, 1, size, kind, batch, "C", len(axes) - 1, None) if axes else None
        )

    def forward(self, waves: Array) -> None:
        self._run(waves, self._forward)

    def inverse(self, waves: Array) -> None:
        self._run(waves, self._inverse)

    def _run(self, waves: Array, direction: int) -> None:
        if self._plan is not None:
            self._recorder.keep(self._plan, waves)
            self._plan.fft(waves, waves, direction)


class CupyMark:
    """An event of a stream."""

    def __init__(self, cupy: Any, device: Any, stream: Any) -> None:
        self._device = device
        self.event = cupy.cuda.Event(disable_timing=True)
        self.event.record(stream)

    def wait(self) -> None:
        with self._device:
            self.event.synchronize()


class CupyDevice:
    """One GPU. Everything is queued on CuPy's current stream, behind what the caller queued there.

    Recordings are captured on a stream of their own, because the default stream cannot be, and launched on the current.
    """

    def __init__(self, cupy: Any, index: int) -> None:
        """Raises ResourceError for a device that the compiler no longer knows or without its NVRTC."""
        self.name = f"cuda:{index}"
        self._cupy = cupy
        self._device = cupy.cuda.Device(index)
        major = cupy.cuda.runtime.runtimeGetVersion() // 1000
        self._compiler = Compiler(nvrtc_of(major), int(self._device.compute_capability))
        with self._device:
            self._copies = cupy.cuda.Stream(non_blocking=True)
        self._modules: dict[tuple[str, tuple[str, ...]], Any] = {}
        self._recorder = Recorder()
        self._capturing: Any = None  # the stream, once there is one
        attributes = self._device.attributes
        self.shared_memory = int(attributes["MaxSharedMemoryPerBlockOptin"])
        self.multiprocessors = int(attributes["MultiProcessorCount"])
        self._allowed: dict[int, int] = {}  # dynamic shared memory by function

    def alloc(self, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        nbytes = array_bytes(shape, dtype)
        with self._device, memory_guard(self, f"an array {shape} of {np.dtype(dtype)}", nbytes):
            return self._cupy.empty(shape, dtype)

    def upload(self, values: Any, dtype: DTypeLike | None) -> Array:
        self._recorder.refuse("an upload")
        if not hasattr(values, "__cuda_array_interface__"):
            values = np.asarray(values, dtype)
            values = np.ascontiguousarray(values, values.dtype.newbyteorder("="))
        size = array_bytes(values.shape, values.dtype if dtype is None else dtype)
        with self._device, memory_guard(self, f"an array {values.shape} of {values.dtype}", size):
            return self._cupy.ascontiguousarray(self._cupy.asarray(values, dtype))

    def download(self, array: Array) -> NDArray[Any]:
        self._recorder.refuse("a download")
        with self._device:
            host: NDArray[Any] = self._cupy.asnumpy(array)
        return host

    def copy(self, target: Array, source: Array) -> None:
        self._recorder.keep(target, source)
        with self._device:
            target.data.copy_from_device_async(source.data, source.nbytes)

    def pinned(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        dtype, count = np.dtype(dtype), math.prod(shape)
        try:
            with self._device:
                memory = self._cupy.cuda.alloc_pinned_memory(count * dtype.itemsize)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            logger.warning(
                "%s: no page-locked memory for %s of %s, copies are slower (%s)", self.name, shape, dtype, error
            )
            return np.empty(shape, dtype)
        return np.frombuffer(memory, dtype, count).reshape(shape)

    def send(self, target: Array, values: NDArray[Any], after: Mark) -> Mark:
        with self._device:
            self._copies.wait_event(cast(CupyMark, after).event)
            target.data.copy_from_host_async(values.ctypes.data, values.nbytes, self._copies)
            return CupyMark(self._cupy, self._device, self._copies)

    def mark(self) -> Mark:
        with self._device:
            return CupyMark(self._cupy, self._device, self._cupy.cuda.get_current_stream())

    def wait(self, mark: Mark) -> None:
        with self._device:
            self._cupy.cuda.get_current_stream().wait_event(cast(CupyMark, mark).event)

    def clear(self, array: Array) -> None:
        self._recorder.keep(array)
        with self._device:
            array.data.memset_async(0, array.nbytes)

    def kernel(self, op: str, name: str, defines: tuple[str, ...]) -> Kernel:
        self._recorder.refuse(f"the first launch of {name}")
        key = (op, defines)
        with self._device, memory_guard(self, f"the code of {op}.cu", 0):
            if key not in self._modules:
                # From memory and not from a file: the cache folder may be missing or read-only.
                module = self._cupy.cuda.Module()
                module.load(self._compiler.image(op, defines))
                self._modules[key] = module
            return self._modules[key].get_function(name)

    def launch(self, kernel: Kernel, grid: int, block: int, shared: int, arguments: Sequence[Any]) -> None:
        self._recorder.keep(*arguments)
        values = tuple(_NULL if argument is None else argument for argument in arguments)
        with self._device, memory_guard(self, "a kernel launch", 0):
            if shared > UNASKED and shared > self._allowed.get(kernel.ptr, 0):
                driver = self._cupy.cuda.driver
                attribute = driver.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
                driver.funcSetAttribute(kernel.ptr, attribute, shared)
                self._allowed[kernel.ptr] = shared
            kernel((grid,), (block,), values, shared_mem=shared)

    def fft_plan(self, shape: tuple[int, int], batch: int, dtype: DTypeLike) -> Plan:
        self._recorder.refuse("making an FFT plan")
        dtype = np.dtype(dtype)
        nbytes = array_bytes((batch, *shape), dtype)  # the work area is about as large as the batch
        with self._device, memory_guard(self, f"an FFT plan of {batch} x {shape[0]} x {shape[1]}", nbytes):
            return CupyPlan(self._cupy, self._recorder, shape, batch, dtype)

    def connector(self) -> Connector:
        return NcclConnector(self._cupy, self._device)

    def free_bytes(self) -> int:
        with self._device:
            pool = self._cupy.get_default_memory_pool()
            free = int(self._device.mem_info[0]) + int(pool.free_bytes())
            limit = int(pool.get_limit())
            return min(free, limit - int(pool.used_bytes())) if limit else free

    def release(self) -> None:
        self._recorder.refuse("giving memory back")
        self._recorder.drop_all()
        with self._device:
            self._cupy.get_default_memory_pool().free_all_blocks()

    def synchronize(self) -> None:
        self._recorder.refuse("waiting for the device")
        with self._device:
            self._cupy.cuda.get_current_stream().synchronize()

    def record(self, queue: Callable[[], None]) -> Recording:
        with self._device:
            if self._capturing is None:
                self._capturing = self._cupy.cuda.Stream(non_blocking=True)
            with self._recorder.open() as kept, self._captured() as made:
                queue()
        graph = made[0]

        def launch() -> None:
            with self._device, memory_guard(self, "a graph launch", 0):
                graph.launch()

        return self._recorder.made(launch, kept)

    @contextmanager
    def _captured(self) -> Iterator[list[Any]]:
        """Captures what is queued meanwhile; the list gets the graph at the end."""
        made: list[Any] = []
        stream, allocate = self._capturing, self._cupy.cuda.get_allocator()

        def kept(nbytes: int) -> Any:
            memory = allocate(nbytes)  # CuPy would hand it out again as soon as nobody here has it
            self._recorder.keep(memory)
            return memory

        try:
            with self._cupy.cuda.using_allocator(kept), stream:
                stream.begin_capture()
                try:
                    yield made
                except BaseException:
                    with suppress(RuntimeError):  # a capture that failed says so once more
                        stream.end_capture()
                    raise
                made.append(stream.end_capture())
        except (MemoryError, RuntimeError) as error:
            if "StreamCapture" not in str(error) and not is_out_of_memory(error):
                raise
            raise NotRecordable(f"{self.name}: {error}") from error


__all__ = ["CupyDevice", "CupyPlan", "import_cupy"]
