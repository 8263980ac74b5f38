"""Which backend a device name gives, with and without CUDA."""

from __future__ import annotations

import logging
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from ptycupy import backends
from ptycupy.errors import ConfigError, ResourceError

select_module = sys.modules["ptycupy.backends.select"]


@pytest.fixture(autouse=True)
def _fresh() -> Any:
    for function in (select_module._cuda_failure, select_module._tell_once):
        function.cache_clear()
    yield
    for function in (select_module._cuda_failure, select_module._tell_once):
        function.cache_clear()


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A machine with two CUDA devices; the indices that were opened."""
    import ptycupy.backends.cuda

    indices: list[int] = []

    def open_device(index: int) -> Any:
        if index > 1:
            raise ResourceError(f"device {index} is not there; devices: 0 (A), 1 (B)")
        indices.append(index)
        return SimpleNamespace(name=f"cuda:{index}")

    monkeypatch.setattr(ptycupy.backends.cuda, "open_device", open_device)
    monkeypatch.setattr(
        ptycupy.backends.cuda,
        "CudaBackend",
        lambda device, dtype, **options: SimpleNamespace(name=device.name, chosen=(dtype, *options.values())),
    )
    return indices


def broken(monkeypatch: pytest.MonkeyPatch, reason: Exception) -> None:
    import ptycupy.backends.cuda

    def open_device(index: int) -> Any:
        raise reason

    monkeypatch.setattr(ptycupy.backends.cuda, "open_device", open_device)


REASONS = [
    ResourceError("no CUDA driver (cupy.cuda.is_available() is False)\nsecond line"),
    RuntimeError("cudaErrorInsufficientDriver: CUDA driver version is insufficient"),  # what CuPy 13 raises
    ImportError("libcufft.so.11: cannot open shared object file"),
    OSError("libnvrtc.so.12: file too short"),
]


@pytest.mark.parametrize("reason", REASONS, ids=lambda reason: type(reason).__name__)
def test_fault_48_auto_runs_on_the_cpu_and_says_why(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, reason: Exception
) -> None:
    broken(monkeypatch, reason)
    first_line = str(reason).splitlines()[0]
    assert backends.available()["cpu"] == ""
    assert first_line in backends.available()["cuda"]
    assert "\n" not in backends.available()["cuda"]
    with caplog.at_level(logging.INFO, "ptycupy"):
        assert backends.select("auto").name == "cpu"
        assert backends.select("auto", "float64").real == "float64"
    assert [first_line in record.getMessage() for record in caplog.records] == [True]
    assert "\n" not in caplog.records[0].getMessage()


@pytest.mark.parametrize("reason", REASONS, ids=lambda reason: type(reason).__name__)
def test_fault_48_cuda_is_refused_where_it_is_absent(monkeypatch: pytest.MonkeyPatch, reason: Exception) -> None:
    broken(monkeypatch, reason)
    with pytest.raises(ResourceError, match="cuda") as caught:
        backends.select("cuda")
    assert str(reason).splitlines()[0] in str(caught.value)
    assert caught.value.exit_code == 4


def test_fault_48_without_cupy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ptycupy.backends.cuda", None)
    assert "CuPy cannot be imported" in backends.available()["cuda"]
    assert backends.select("auto").name == "cpu"


def test_fault_49_an_index_out_of_range_lists_the_devices(opened: list[int]) -> None:
    with pytest.raises(ResourceError, match=r"cuda:5.*0 \(A\), 1 \(B\)"):
        backends.select("cuda:5")


def test_cuda_where_it_works(opened: list[int]) -> None:
    assert backends.available() == {"cpu": "", "cuda": ""}
    opened.clear()
    assert backends.select("auto").name == "cuda:0"
    assert backends.select("cuda:1", "float64", "cufft", True, "half").chosen == (
        "float64",
        "cufft",
        True,
        "half",
        "auto",
    )
    assert backends.select("cpu", fft="cufft").name == "cpu"
    assert opened == [0, 1]


@pytest.mark.parametrize("device", ["gpu", "cuda:", "cuda:-1", "CPU", "cuda:0x1", ""])
def test_unknown_names_are_refused(device: str) -> None:
    with pytest.raises(ConfigError, match="auto, cpu, cuda"):
        backends.select(device)


def test_importing_backends_imports_neither_numba_nor_cupy() -> None:
    code = "import sys, ptycupy.backends; print({'numba', 'cupy', 'scipy'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"
