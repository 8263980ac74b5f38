"""Fixtures of every folder: backends by precision, and the reason why GPU tests are skipped."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from ptycupy.backends.interface import Backend

BackendFactory = Callable[[str], Backend]  # dtype -> backend


@cache
def gpu_absence() -> str:
    """Why no GPU can be used, or an empty string."""
    from ptycupy.backends.cuda import open_device
    from ptycupy.errors import ResourceError

    try:
        open_device(0)
    except ResourceError as error:
        return str(error)
    return ""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--record-kernels", action="store_true", help="write the kernels' registers and memory to benchmarks/results"
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    marked = [item for item in items if item.get_closest_marker("gpu")]
    reason = gpu_absence() if marked else ""
    for item in marked:
        if reason:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def kernel_folder(pytestconfig: pytest.Config) -> Path:
    """Where compiled kernels stay between sessions."""
    return pytestconfig.cache.mkdir("cuda_on_cpu")


@pytest.fixture(scope="session")
def cpu_backend() -> BackendFactory:
    from ptycupy.backends.cpu import CpuBackend

    return cache(CpuBackend)


@pytest.fixture(scope="session")
def host_cuda_backend(kernel_folder: Path) -> BackendFactory:
    """The CUDA backend on the CPU: the product's sources and launches, run by tests/cuda_on_cpu."""
    return _host_cuda(kernel_folder)


def _host_cuda(folder: Path, schedule: int = 0, deterministic: bool = False) -> BackendFactory:
    from cuda_on_cpu.host_device import HostDevice

    from ptycupy.backends.cuda import CudaBackend

    return cache(lambda dtype: CudaBackend(HostDevice(folder, schedule), dtype, deterministic=deterministic))


@pytest.fixture(
    scope="session",
    params=[
        "cpu float32",
        "cpu float64",
        "host float32 ascending",
        pytest.param("host float64 ascending", marks=pytest.mark.slow),  # the others have its order and its precision
        "host float32 descending",
        "host float64 strided deterministic",
        pytest.param("gpu float32", marks=pytest.mark.gpu),
        pytest.param("gpu float64 deterministic", marks=pytest.mark.gpu),
    ],
)
def any_backend(request: pytest.FixtureRequest, cpu_backend: BackendFactory, kernel_folder: Path) -> Backend:
    """Each backend in turn; the CUDA sources run under three orders of threads and blocks, so that races show."""
    kind, dtype, *options = request.param.split()
    deterministic = "deterministic" in options
    if kind == "cpu":
        return cpu_backend(dtype)
    if kind == "gpu":
        from ptycupy.backends.cuda import CudaBackend, open_device

        return CudaBackend(open_device(0), dtype, deterministic=deterministic)
    schedule = ("ascending", "descending", "strided").index(options[0])
    return _host_cuda(kernel_folder, schedule, deterministic)(dtype)
