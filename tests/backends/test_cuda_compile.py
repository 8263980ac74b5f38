"""Compiled kernels are kept and read again, by the libraries of CuPy's CUDA major, without a GPU."""

from __future__ import annotations

from pathlib import Path

import pytest

from ptycupy.backends.cuda.compile import Compiler
from ptycupy.backends.cuda.libraries import cupy_major, find
from ptycupy.backends.cuda.nvrtc import Nvrtc


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
