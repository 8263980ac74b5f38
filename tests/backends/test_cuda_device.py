"""The device layer without a GPU: which devices there are, launches, FFT plans, and a stream of somebody else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from backends.fake_cupy import CudaError, FakeCupy

from ptycupy.backends.cuda import CudaBackend, devices, guest
from ptycupy.backends.cuda.cupy_device import CupyDevice, import_cupy
from ptycupy.backends.cuda.nvrtc import Nvrtc
from ptycupy.backends.cuda.transforms import LARGEST_PLAN, Transforms
from ptycupy.backends.interface import Backend
from ptycupy.errors import ConfigError, ResourceError


def opened(monkeypatch: pytest.MonkeyPatch, cupy: FakeCupy, index: int) -> Any:
    monkeypatch.setattr(devices, "import_cupy", lambda: cupy)
    return devices.open_device(index)


def test_fault_49_device_index_out_of_range(monkeypatch: pytest.MonkeyPatch, nvrtc: Nvrtc) -> None:
    cupy = FakeCupy(((9, 0), (8, 6)))
    assert opened(monkeypatch, cupy, 1).name == "cuda:1"
    listed = "cuda:0 Test GPU, compute capability 9.0, 8.0 GiB; cuda:1 Test GPU, compute capability 8.6, 8.0 GiB"
    for index in (2, -1):
        with pytest.raises(ResourceError, match=f"there is no GPU cuda:{index}; GPUs here: {listed}"):
            opened(monkeypatch, cupy, index)
    with pytest.raises(ResourceError, match="there is no GPU cuda:0; GPUs here: none"):
        opened(monkeypatch, FakeCupy(()), 0)


def test_fault_49_device_too_old(monkeypatch: pytest.MonkeyPatch, nvrtc: Nvrtc) -> None:
    with pytest.raises(
        ResourceError, match=r"cuda:0 cannot be used: .*6\.1 is too old.*7\.0 or newer; GPUs here: cuda:0"
    ):
        opened(monkeypatch, FakeCupy(((6, 1),)), 0)


def test_fault_48_no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    cupy = FakeCupy()

    def no_driver() -> int:
        raise CudaError("cudaErrorInsufficientDriver: CUDA driver version is insufficient")

    cupy.cuda.runtime.getDeviceCount = no_driver
    with pytest.raises(ResourceError, match=r"CuPy 14\.0 finds no working CUDA driver: cudaErrorInsufficientDriver"):
        opened(monkeypatch, cupy, 0)


def test_fault_48_no_cupy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "cupy", None)
    with pytest.raises(ResourceError, match=r"CuPy cannot be imported .*pip install 'ptycupy\[cuda12\]'"):
        import_cupy()


def test_launch_passes_null_and_exact_types(nvrtc: Nvrtc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PTYCUPY_CACHE_DIR", str(tmp_path))
    device = CupyDevice(FakeCupy(), 0)
    assert device.kernel("scale", "scale", ("REAL=float",)) == "scale"
    calls: list[Any] = []
    array = np.zeros(3, np.float32)
    device.launch(lambda *given, shared_mem: calls.append((*given, shared_mem)), 5, 256, 0, [array, None, np.int32(3)])
    ((grid, block, arguments, shared),) = calls
    assert (grid, block, shared) == ((5,), (256,), 0)
    assert arguments[0] is array
    assert (arguments[1], arguments[1].nbytes) == (0, 8)
    assert arguments[2].dtype == np.int32


def test_launch_asks_once_for_more_shared_memory(nvrtc: Nvrtc) -> None:
    cupy, asked = FakeCupy(), []
    cupy.cuda.driver = SimpleNamespace(
        CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES=8, funcSetAttribute=lambda *given: asked.append(given)
    )
    device = CupyDevice(cupy, 0)
    assert (device.shared_memory, device.multiprocessors) == (232448, 132)

    class Function:
        given: list[int]

        def __init__(self, ptr: int) -> None:
            self.ptr, self.given = ptr, []

        def __call__(self, *arguments: Any, shared_mem: int) -> None:
            self.given.append(shared_mem)

    first, second = Function(11), Function(12)
    for size in (48 << 10, 128 << 10, 128 << 10, 96 << 10, 160 << 10):
        device.launch(first, 1, 512, size, [])
    device.launch(second, 1, 256, 96 << 10, [])
    assert asked == [(11, 8, 128 << 10), (11, 8, 160 << 10), (12, 8, 96 << 10)]
    assert first.given == [size << 10 for size in (48, 128, 128, 96, 160)]


def test_fft_plans_leave_out_axes_of_length_one(nvrtc: Nvrtc) -> None:
    device = CupyDevice(FakeCupy(), 0)
    for shape, axes in (((4, 6), [4, 6]), ((1, 6), [6]), ((4, 1), [4])):
        plan: Any = device.fft_plan(shape, 2, "complex64")
        assert plan._plan.arguments == (
            axes,
            axes,
            1,
            shape[0] * shape[1],
            axes,
            1,
            shape[0] * shape[1],
            0x29,
            2,
            "C",
            len(axes) - 1,
            None,
        )
    unit = device.fft_plan((1, 1), 2, "complex128")
    unit.forward(np.ones((2, 1, 1), complex))
    unit.inverse(np.ones((2, 1, 1), complex))


def test_fault_42_transforms_stay_below_int32() -> None:
    """70000 waves of 256 x 256 are 4.6e9 elements: cut into plans of at most 2^27, of two sizes at most."""
    asked: list[int] = []

    class Waves:
        shape, size, dtype = (70_000, 1, 1, 256, 256), 70_000 * 65536, np.dtype(np.complex64)

        def reshape(self, *shape: int) -> Waves:
            return self

        def __getitem__(self, part: slice) -> slice:
            return part

    sizes: set[int] = set()

    def fft_plan(shape: tuple[int, int], batch: int, dtype: str) -> Any:
        sizes.add(batch)
        return SimpleNamespace(forward=lambda chunk: asked.append(chunk.start))

    device: Any = SimpleNamespace(fft_plan=fft_plan)
    Transforms(device).forward(Waves())
    assert max(sizes) * 65536 <= LARGEST_PLAN
    assert len(sizes) <= 2
    assert asked[-1] + min(sizes) == 70_000


def test_unsupported_settings_are_named(host_cuda_backend: Callable[[str], Backend]) -> None:
    device: Any = SimpleNamespace(name="cuda:0")
    with pytest.raises(ConfigError, match="float16"):
        CudaBackend(device, "float16")
    with pytest.raises(ConfigError, match="'fftw' is unknown: auto, cufft, own, steps, whole"):
        CudaBackend(device, fft="fftw")
    backend = host_cuda_backend("float32")
    with pytest.raises(ValueError, match=r"addition of float32 \(2,\) to float32 \(3,\)"):
        backend.add(backend.zeros((3,), "float32"), backend.zeros((2,), "float32"))
    with pytest.raises(ValueError, match=r"copy of float32 \(2,\) into float32 \(3,\)"):
        backend.copy(backend.zeros((3,), "float32"), backend.zeros((2,), "float32"))


def test_a_guest_queues_on_the_stream_and_the_memory_of_its_host(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Any] = []

    class Context:
        def __init__(self, *given: int) -> None:
            self.given = given

        def __enter__(self) -> None:
            opened.append(self.given)

        def __exit__(self, *error: object) -> None:
            opened.remove(self.given)

    fake = SimpleNamespace(cuda=SimpleNamespace(Device=Context, ExternalStream=Context), from_dlpack=np.from_dlpack)
    monkeypatch.setattr(guest, "import_cupy", lambda: fake)
    with guest.on_stream(1, 4096):
        assert opened == [(1,), (4096, 1)]
    assert not opened
    values = np.arange(3.0)
    assert np.shares_memory(guest.borrow(values), values)
