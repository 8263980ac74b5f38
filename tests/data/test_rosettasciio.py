"""Formats of microscopes, written and read by rosettasciio."""

from __future__ import annotations

import pickle
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data.samples import FLAT, SQUARE, WRITERS, write_blo, write_tvips, write_velox

from ptycupy.config.schema import Data
from ptycupy.data import describe, open_source
from ptycupy.errors import DataError

rsciio = pytest.importorskip("rsciio", reason="rosettasciio is not installed")


def opened(path: Path, **config: Any) -> Any:
    return open_source(Data(path=str(path), **config))


def test_blockfile(tmp_path: Path) -> None:
    source = opened(write_blo(tmp_path / "a.blo"))
    assert source.scan_shape == (3, 4)
    assert source.calibration.scan_step_angstrom == pytest.approx((0.5, 0.5))
    flat = SQUARE.reshape(12, 5, 5)
    np.testing.assert_array_equal(source.read([11, 0, 5]), flat[[11, 0, 5]])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(source)).read([7]), flat[[7]])
    assert "0 (3, 4, 5, 5) uint8" in describe(tmp_path / "a.blo")


@pytest.mark.parametrize("name", ["scan.dm3", "scan.dm4"])
def test_gatan_files_as_nion_writes_them(tmp_path: Path, name: str) -> None:
    source = opened(WRITERS[name](tmp_path / name))
    assert source.scan_shape == (3, 4)
    assert source.calibration.scan_step_angstrom == pytest.approx((0.5, 0.4))
    assert source.calibration.dk_inverse_angstrom == pytest.approx((0.02, 0.03))


def test_a_velox_stack_is_not_taken_for_plain_hdf5(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"stacked along the last axis.*data\.format: rosettasciio"):
        opened(write_velox(tmp_path / "a.emd"))


def test_a_velox_stack(tmp_path: Path) -> None:
    source = opened(write_velox(tmp_path / "a.emd"), format="rosettasciio", scan_shape=(3, 4))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(source)).read([11, 4]), FLAT[[11, 4]])
    assert source.calibration.dk_inverse_angstrom == pytest.approx((0.02, 0.02))


def test_a_tvips_stream_in_two_files_either_of_which_may_become_shorter(tmp_path: Path) -> None:
    path = write_tvips(tmp_path / "a_000.tvips")
    source = opened(path, scan_shape=(3, 4))
    np.testing.assert_array_equal(source.read([6, 7, 11]), FLAT[[6, 7, 11]])
    assert source.calibration.dk_inverse_angstrom == pytest.approx((0.2, 0.2))
    assert source.calibration.energy_kev == 200
    second = tmp_path / "a_001.tvips"
    second.write_bytes(second.read_bytes()[:100])
    with pytest.raises(DataError, match=r"a_001\.tvips: truncated or changed: 100 of \d+ bytes"):
        source.read([11])


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
