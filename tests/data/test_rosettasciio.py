"""Formats of microscopes, written and read by rosettasciio."""

from __future__ import annotations

import pickle
import tracemalloc
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ptycupy.config.schema import Data
from ptycupy.data import describe, open_source, read_array
from ptycupy.errors import DataError

rsciio = pytest.importorskip("rsciio", reason="rosettasciio is not installed")

STACK = np.random.default_rng(2).integers(0, 255, (3, 4, 16, 16)).astype(np.uint8)


def write_blo(path: Path, values: Any = STACK) -> Path:
    from rsciio.blockfile import file_writer

    names = [("y", "nm", 0.05, True), ("x", "nm", 0.05, True), ("dy", "cm", 0.1, False), ("dx", "cm", 0.1, False)]
    axes = [
        {"name": name, "units": unit, "scale": scale, "offset": 0.0, "size": size, "navigate": navigate,
         "index_in_array": number}
        for number, ((name, unit, scale, navigate), size) in enumerate(zip(names, values.shape, strict=True))
    ]  # fmt: skip
    signal = {"data": values, "axes": axes, "metadata": {}, "original_metadata": {}, "attributes": {"_lazy": False}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        file_writer(str(path), signal, intensity_scaling=None)
    return path


def opened(path: Path, **config: Any) -> Any:
    return open_source(Data(path=str(path), **config))


def test_blockfile(tmp_path: Path) -> None:
    source = opened(write_blo(tmp_path / "a.blo"))
    assert source.scan_shape == (3, 4)
    assert source.calibration.scan_step_angstrom == pytest.approx((0.5, 0.5))
    flat = STACK.reshape(12, 16, 16)
    np.testing.assert_array_equal(source.read([11, 0, 5]), flat[[11, 0, 5]])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(source)).read([7]), flat[[7]])
    assert "0 (3, 4, 16, 16) uint8" in describe(tmp_path / "a.blo")


def test_fault_16_and_28_a_blockfile_that_is_or_becomes_shorter(tmp_path: Path) -> None:
    path = write_blo(tmp_path / "a.blo")
    content = path.read_bytes()
    source = opened(path)
    for left in (0, 10, 300, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:left])
        with pytest.raises(DataError, match=rf"{left} (of \d+ )?bytes"):
            source.read([3])
        with pytest.raises(DataError, match=f"{left} bytes"):
            opened(path).read(np.arange(12))


def test_damaged_bytes_end_in_values_or_a_data_error(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    content = write_blo(tmp_path / "a.blo").read_bytes()
    for _ in range(60):
        damaged = bytearray(content)
        for _ in range(3):
            damaged[int(rng.integers(400))] = int(rng.integers(256))
        (tmp_path / "a.blo").write_bytes(damaged)
        for read in (lambda place: opened(place).read([0]), describe, read_array):
            try:
                read(tmp_path / "a.blo")
            except DataError:
                continue


@pytest.mark.parametrize("suffix", [".dm3", ".dm4", ".blo", ".tvips", ".ser", ".mrc", ".rpl", ".app5"])
@pytest.mark.parametrize("content", [b"", b"text", bytes(4096)])
def test_what_is_no_file_of_its_name(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"a\{suffix}"):
        opened(path).read([0])


def test_one_pattern_does_not_pull_the_file_into_memory(tmp_path: Path) -> None:
    values = np.zeros((32, 32, 128, 128), np.uint8)
    values[3, 4] = 7
    source = opened(write_blo(tmp_path / "a.blo", values))
    source.read([0])
    tracemalloc.start()
    assert source.read([3 * 32 + 4]).min() == 7
    assert tracemalloc.get_traced_memory()[1] < values.nbytes // 2
    tracemalloc.stop()


def test_an_absent_package_is_named_with_its_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_blo(tmp_path / "a.blo")
    monkeypatch.setitem(__import__("sys").modules, "rsciio.blockfile", None)
    with pytest.raises(DataError, match=r"pip install 'ptycupy\[em\]'"):
        opened(path)


def test_an_extension_it_does_not_know(tmp_path: Path) -> None:
    path = tmp_path / "a.xyz"
    path.write_bytes(b"abc")
    with pytest.raises(DataError, match=r"reads \.dm3, \.dm4"):
        opened(path, format="rosettasciio")
