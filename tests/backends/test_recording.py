"""Recordings: what a device writes down, keeps alive, refuses and drops; on the harness and on a CuPy that is none."""

from __future__ import annotations

import gc
import weakref
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from cuda_on_cpu.host_device import HostDevice

from ptycupy.backends.cpu import CpuBackend
from ptycupy.backends.cuda import CudaBackend, cupy_device
from ptycupy.backends.cuda.cupy_device import CupyDevice
from ptycupy.errors import ConfigError, MemoryShortage, NotRecordable


@pytest.fixture
def backend(kernel_folder):
    return CudaBackend(HostDevice(kernel_folder))


def test_scalars_stay_and_arrays_are_read_when_it_is_launched(backend):
    values, one, factor = (backend.zeros((3,), "float32") for _ in range(3))
    backend.fill(one, 1.0)

    def queue():
        backend.add(values, one)
        backend.scale(values, factor_now)
        backend.copy(factor, values)

    factor_now = 1.0
    queue()
    factor_now = 2.0
    recording = backend.record(queue)
    assert values.tolist() == [1.0] * 3  # nothing ran
    factor_now = 5.0
    recording.launch()
    assert values.tolist() == factor.tolist() == [4.0] * 3
    backend.fill(one, 2.0)
    recording.launch()
    assert values.tolist() == [12.0] * 3


def test_what_it_touches_lives_as_long_as_it_does_and_is_dropped_with_the_memory(backend):
    kept = [backend.zeros((3,), "float32")]
    backend.fill(kept[0], 2.0)
    recording = backend.record(lambda: backend.fill(kept[0], 1.0))
    memory = weakref.ref(kept.pop().base)
    gc.collect()
    recording.launch()
    assert memory() is not None
    backend.release()
    gc.collect()
    assert not recording.alive
    assert memory() is None
    with pytest.raises(NotRecordable, match="after the device had dropped it"):
        recording.launch()


def test_scratch_is_garbage_whenever_a_recording_begins(backend):
    target = backend.zeros((3,), "float32")

    def queue():
        backend.copy(target, backend._device.alloc((3,), "float32"))

    recording = backend.record(queue)
    recording.launch()
    assert np.isnan(target).all()


@pytest.mark.parametrize(
    ("queue", "told"),
    [
        (lambda b, a: b.to_host(a), "a download"),
        (lambda b, a: b.asarray(np.ones(3)), "an upload"),
        (lambda b, a: b.synchronize(), "waiting for the device"),
        (lambda b, a: b.scale(a, 2.0), "the first launch of scale"),
        (lambda b, a: b.far_field_forward(a.view("complex64").reshape(1, 1, 1, 2, 2)), "making an FFT plan"),
        (lambda b, a: b.record(lambda: None), "a recording within a recording"),
        (lambda b, a: b.release(), "giving memory back"),
    ],
)
def test_what_needs_the_host_is_refused_by_name(backend, queue, told):
    array = backend.zeros((8,), "float32")
    with pytest.raises(NotRecordable, match=f"{told} cannot be recorded"):
        backend.record(lambda: queue(backend, array))
    backend.fill(array, 3.0)  # the refused recording is over
    assert array.tolist() == [3.0] * 8


def test_on_a_cpu_the_calls_are_made_again():
    backend = CpuBackend("float32")
    values = backend.zeros((3,), "float32")
    recording = backend.record(lambda: backend.add(values, np.ones(3, np.float32)))
    for _ in range(2):
        recording.launch()
    assert values.tolist() == [2.0] * 3


def test_an_unknown_switch_is_named():
    with pytest.raises(ConfigError, match="'always' is unknown: auto, off or on"):
        CudaBackend(SimpleNamespace(name="cuda:0"), graphs="always")


# --- CuPy's side --------------------------------------------------------------------------------------------------
class CudaError(RuntimeError):
    """As cupy.cuda.runtime.CUDARuntimeError: known by its text."""


class Stream:
    """A stream that can be captured, and knows whether it is current."""

    def __init__(self, cupy: Cupy, **options: Any) -> None:
        assert options == {"non_blocking": True}
        self.cupy = cupy

    def __enter__(self) -> None:
        self.cupy.current.append("capture stream")

    def __exit__(self, *error: object) -> None:
        self.cupy.current.pop()

    def begin_capture(self) -> None:
        self.cupy.log.append("begin")

    def end_capture(self) -> Any:
        self.cupy.log.append("end")
        if self.cupy.invalid:
            raise CudaError(self.cupy.invalid)
        return SimpleNamespace(launch=self._launch)

    def _launch(self) -> None:
        if self.cupy.failure is not None:
            raise self.cupy.failure
        self.cupy.log.append(f"graph on the {self.cupy.current[-1]}")


class Context:
    """A context, as cupy.cuda.Device."""

    compute_capability, mem_info = "90", (1 << 20, 1 << 30)
    attributes = {"MaxSharedMemoryPerBlockOptin": 0, "MultiProcessorCount": 1}

    def __enter__(self) -> None: ...

    def __exit__(self, *error: object) -> None: ...


class Cupy:
    """What CupyDevice.record uses of CuPy."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.current = ["default stream"]
        self.invalid, self.failure = "", None
        self.allocator = self.malloc
        self.cuda = SimpleNamespace(
            Stream=lambda **options: Stream(self, **options),
            get_allocator=lambda: self.allocator,
            using_allocator=self._using,
            Device=lambda index: Context(),
            runtime=SimpleNamespace(runtimeGetVersion=lambda: 12090),
        )
        self.pool = SimpleNamespace(
            free_all_blocks=lambda: self.log.append("freed"), free_bytes=lambda: 0, get_limit=lambda: 0
        )

    def malloc(self, nbytes: int) -> Any:
        return np.empty(nbytes, np.uint8)

    def empty(self, shape: tuple[int, ...], dtype: Any) -> Any:
        self.memory = weakref.ref(memory := self.allocator(4 * np.prod(shape)))
        return memory.view(dtype).reshape(shape)

    def get_default_memory_pool(self) -> Any:
        return self.pool

    @contextmanager
    def _using(self, allocator: Any) -> Any:
        before, self.allocator = self.allocator, allocator
        yield
        self.allocator = before


@pytest.fixture
def cupy(monkeypatch):
    monkeypatch.setattr(cupy_device, "Compiler", lambda nvrtc, capability: None)
    monkeypatch.setattr(cupy_device, "nvrtc_of", lambda major: None)
    return Cupy()


def launch(device, cupy):
    """A launch of a kernel that says where it was queued."""
    device.launch(lambda *given, shared_mem: cupy.log.append(f"kernel on the {cupy.current[-1]}"), 1, 256, 0, [])


def test_cupy_captures_on_a_stream_of_its_own_and_launches_on_the_current_one(cupy):
    device = CupyDevice(cupy, 0)
    recording = device.record(lambda: launch(device, cupy))
    recording.launch()
    assert cupy.log == ["begin", "kernel on the capture stream", "end", "graph on the default stream"]


def test_cupy_keeps_all_memory_that_was_taken_meanwhile(cupy):
    device = CupyDevice(cupy, 0)
    recording = device.record(lambda: device.alloc((2, 2), "float32").fill(0))
    gc.collect()
    assert cupy.memory() is not None
    assert cupy.allocator == cupy.malloc
    device.release()
    gc.collect()
    assert cupy.memory() is None
    assert not recording.alive


UNSUPPORTED = "cudaErrorStreamCaptureUnsupported: operation not permitted when stream is capturing"
INVALIDATED = "cudaErrorStreamCaptureInvalidated: operation failed due to a previous error during capture"


def raise_(error):
    raise error


@pytest.mark.parametrize(
    ("queue", "invalid"),
    [
        (lambda: raise_(CudaError(UNSUPPORTED)), INVALIDATED),
        (lambda: None, INVALIDATED),
        (lambda: None, "cudaErrorMemoryAllocation: out of memory"),
        (lambda: raise_(NotRecordable("an upload cannot be recorded")), ""),
    ],
    ids=["at once", "at the end", "out of memory", "ours"],
)
def test_cupys_refusals_end_the_capture(cupy, queue, invalid):
    device = CupyDevice(cupy, 0)
    cupy.invalid = invalid
    with pytest.raises(NotRecordable):
        device.record(queue)
    assert cupy.log == ["begin", "end"]
    assert cupy.current == ["default stream"]
    cupy.invalid = ""
    device.record(lambda: None).launch()


def test_cupys_other_errors_pass_through(cupy):
    device = CupyDevice(cupy, 0)
    with pytest.raises(CudaError, match="IllegalAddress"):
        device.record(lambda: raise_(CudaError("cudaErrorIllegalAddress")))
    with pytest.raises(ValueError, match="mine"):
        device.record(lambda: raise_(ValueError("mine")))


def test_fault_50_a_graph_that_cannot_be_launched_is_a_memory_shortage(cupy):
    device = CupyDevice(cupy, 0)
    recording = device.record(lambda: None)
    cupy.failure = CudaError("cudaErrorMemoryAllocation: out of memory")
    with pytest.raises(MemoryShortage, match="out of GPU memory for a graph launch"):
        recording.launch()
    assert not recording.alive
