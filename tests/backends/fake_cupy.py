"""A CuPy of NumPy arrays that fails on demand: as much of it as CupyDevice uses."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np


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
