"""The device layer without a GPU: a CuPy of NumPy arrays that fails on demand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ptycupy.backends.cuda import CudaBackend, devices, guest
from ptycupy.backends.cuda.compile import Compiler
from ptycupy.backends.cuda.cupy_device import CupyDevice, import_cupy
from ptycupy.backends.cuda.device import is_out_of_memory
from ptycupy.backends.cuda.libraries import cupy_major, find
from ptycupy.backends.cuda.nvrtc import Nvrtc, nvrtc_of
from ptycupy.backends.cuda.transforms import LARGEST_PLAN, Transforms
from ptycupy.backends.interface import Backend
from ptycupy.errors import ConfigError, ResourceError


class OutOfMemoryError(MemoryError):
    """As cupy.cuda.memory.OutOfMemoryError."""


class CudaError(RuntimeError):
    """As CuPy's errors of the runtime, the driver and cuFFT: known by their text."""


class FakeDevice:
    """A context, as cupy.cuda.Device."""

    def __init__(self, capability: str) -> None:
        self.compute_capability = capability
        self.mem_info = (3 << 20, 8 << 30)
        self.attributes = {"MaxSharedMemoryPerBlockOptin": 232448, "MultiProcessorCount": 132}

    def __enter__(self) -> None: ...

    def __exit__(self, *error: object) -> None: ...


class FakePool:
    def __init__(self) -> None:
        self.freed = 0

    def free_bytes(self) -> int:
        return 1 << 20

    def used_bytes(self) -> int:
        return 2 << 20

    def get_limit(self) -> int:
        return 0

    def free_all_blocks(self) -> None:
        self.freed += 1


class FakeModule:
    def load(self, image: bytes) -> None:
        self.image = image

    def get_function(self, name: str) -> Any:
        assert name.encode() in self.image
        return name


class FakeCupy:
    """What CupyDevice uses of CuPy, with `failure` raised wherever memory is taken."""

    __version__ = "14.0"

    def __init__(self, capabilities: tuple[tuple[int, int], ...] = ((9, 0),), failure: Exception | None = None) -> None:
        self.pool, self.failure = FakePool(), failure
        self.cuda = SimpleNamespace(
            Device=lambda index: FakeDevice("{}{}".format(*capabilities[index])),
            Module=FakeModule,
            Stream=lambda non_blocking: SimpleNamespace(non_blocking=non_blocking),
            cufft=SimpleNamespace(CUFFT_FORWARD=-1, CUFFT_INVERSE=1, CUFFT_C2C=0x29, CUFFT_Z2Z=0x69, PlanNd=self._plan),
            runtime=SimpleNamespace(
                runtimeGetVersion=lambda: 12090,
                getDeviceCount=lambda: len(capabilities),
                getDeviceProperties=lambda i: {
                    "name": b"Test GPU",
                    "major": capabilities[i][0],
                    "minor": capabilities[i][1],
                    "totalGlobalMem": 8 << 30,
                },
            ),
        )

    def _fail(self) -> None:
        if self.failure is not None:
            raise self.failure

    def _plan(self, *arguments: Any) -> Any:
        self._fail()
        return SimpleNamespace(fft=lambda source, target, direction: self._fail(), arguments=arguments)

    def empty(self, shape: tuple[int, ...], dtype: Any) -> Any:
        self._fail()
        return np.empty(shape, dtype)

    def asarray(self, values: Any, dtype: Any = None) -> Any:
        self._fail()
        return np.array(values, dtype)

    def ascontiguousarray(self, values: Any) -> Any:
        return np.ascontiguousarray(values)

    def get_default_memory_pool(self) -> FakePool:
        return self.pool


@pytest.fixture
def nvrtc() -> Nvrtc:
    try:
        return nvrtc_of(12)
    except ResourceError as error:
        pytest.skip(str(error))


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


def test_cubins_are_kept_and_read_again(nvrtc: Nvrtc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PTYCUPY_CACHE_DIR", str(tmp_path))
    image = Compiler(nvrtc, 80).image("scale", ("REAL=float",))
    assert image[:4] == b"\x7fELF"
    (kept,) = (tmp_path / "cuda").iterdir()
    assert kept.read_bytes() == image
    monkeypatch.setattr(Nvrtc, "compile", None)  # a second process does not compile
    assert Compiler(nvrtc, 80).image("scale", ("REAL=float",)) == image


def test_fault_52_cache_folder_cannot_be_written(
    nvrtc: Nvrtc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PTYCUPY_CACHE_DIR", str(tmp_path / "file"))
    compiler = Compiler(nvrtc, 80)
    images = [compiler.image(op, ("REAL=float",)) for op in ("scale", "take", "scale")]
    assert images[0] is images[2]
    assert sum("in memory only" in message for message in caplog.messages) == 1


def test_libraries_are_those_of_cupys_major() -> None:
    major = cupy_major()
    if major is None:
        pytest.skip("no CuPy wheel")
    path = find("nvrtc", major)
    assert path is None or f".so.{major}" in path.name or f"nvrtc64_{major}" in path.name


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
