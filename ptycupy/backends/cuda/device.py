"""What the CUDA backend asks of a device: memory, launches and FFT plans. CuPy is one, the CPU harness of the tests
is another; everything above this interface is the same for both."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ptycupy.backends.collective import Connector
from ptycupy.backends.interface import Array, Mark
from ptycupy.backends.recording import Recording
from ptycupy.errors import MemoryShortage

Kernel = Any  # what Device.kernel returned: only the device that made it looks inside


class Plan(Protocol):
    """Unnormalised complex FFTs over the last two axes of [batch, y, x], in place, as cuFFT defines them."""

    def forward(self, waves: Array) -> None: ...

    def inverse(self, waves: Array) -> None: ...


class Device(Protocol):
    """One device. Its arrays have shape, dtype, size, nbytes, flags, view, reshape and slicing as NumPy's."""

    name: str  # "cuda:0"
    shared_memory: int  # bytes that a block may have, static and dynamic
    multiprocessors: int

    def alloc(self, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        """A new uninitialised array; MemoryShortage where there is too little."""
        ...

    def upload(self, values: Any, dtype: DTypeLike | None) -> Array:
        """A C-contiguous array of the device with these values of the host or of the device."""
        ...

    def download(self, array: Array) -> NDArray[Any]:
        """The values on the host, after everything queued before."""
        ...

    def copy(self, target: Array, source: Array) -> None: ...

    def pinned(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Page-locked memory of the host, uninitialised; ordinary memory where the system gives no more of it."""
        ...

    def send(self, target: Array, values: NDArray[Any], after: Mark) -> Mark:
        """Copies page-locked values to the device on a stream of its own, once `after` is past; from any thread."""
        ...

    def mark(self) -> Mark:
        """Everything queued so far, `send` aside."""
        ...

    def wait(self, mark: Mark) -> None:
        """What is queued from now on, `send` aside, begins after the mark."""
        ...

    def clear(self, array: Array) -> None:
        """Every byte of the array to 0."""
        ...

    def kernel(self, op: str, name: str, defines: tuple[str, ...]) -> Kernel:
        """The kernel `name` of kernels/<op>.cu, compiled with -D for each of `defines`."""
        ...

    def launch(self, kernel: Kernel, grid: int, block: int, shared: int, arguments: Sequence[Any]) -> None:
        """Queues a 1-D launch with `shared` bytes of dynamic shared memory, opted in to where they need it; arguments
        are arrays, NumPy scalars of the parameter's exact type, or None for a null pointer."""
        ...

    def fft_plan(self, shape: tuple[int, int], batch: int, dtype: DTypeLike) -> Plan: ...

    def connector(self) -> Connector:
        """Connects this device with those of other processes; ResourceError where that is not installed."""
        ...

    def free_bytes(self) -> int: ...

    def release(self) -> None:
        """Gives pooled memory that nothing uses back to the driver; drops all recordings, which use some."""
        ...

    def synchronize(self) -> None: ...

    def record(self, queue: Callable[[], None]) -> Recording:
        """The launches, copies and transforms that `queue` queues, none of which runs now.

        Raises NotRecordable for what needs the host: uploads, downloads, waits, and kernels and plans that are new.
        """
        ...


# By name, because the device layer of tests and machines without CuPy know these errors too.
_OUT_OF_MEMORY = ("OutOfMemoryError", "CUFFT_ALLOC_FAILED", "cudaErrorMemoryAllocation", "CUDA_ERROR_OUT_OF_MEMORY")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether CuPy, the CUDA runtime, the driver or cuFFT says that memory ran out."""
    text = f"{type(error).__name__}: {error}"
    return isinstance(error, MemoryError) or any(name in text for name in _OUT_OF_MEMORY)


@contextmanager
def memory_guard(device: Device, what: str, nbytes: int) -> Iterator[None]:
    """Turns out-of-memory errors of any layer into a MemoryShortage with numbers, after freeing the pools."""
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        device.release()
        raise MemoryShortage(
            f"{device.name}: out of GPU memory for {what}: {nbytes / 2**20:.1f} MiB wanted, "
            f"{device.free_bytes() / 2**20:.1f} MiB free; use a smaller batch or sub-batch, fewer modes or slices"
        ) from error


def array_bytes(shape: tuple[int, ...], dtype: DTypeLike) -> int:
    """Size of an array in bytes, without overflow."""
    size = np.dtype(dtype).itemsize
    for length in shape:
        size *= int(length)
    return size


__all__ = ["Device", "Kernel", "Plan", "array_bytes", "is_out_of_memory", "memory_guard"]
