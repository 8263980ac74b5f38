"""Zarr stores of both versions, written by the package zarr."""

from __future__ import annotations

import json
import pickle
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ptycupy.config.schema import Data
from ptycupy.data import describe, open_source, read_array
from ptycupy.errors import DataError

zarr = pytest.importorskip("zarr", minversion="3", reason="zarr 3 is not installed")

STACK = np.random.default_rng(2).integers(1, 60_000, (3, 4, 6, 5)).astype(np.uint16)
FLAT = STACK.reshape(12, 6, 5)


def write(path: Path, version: int, values: Any = STACK, chunks: Any = (1, 2, 6, 5)) -> Path:
    group = zarr.open_group(str(path), mode="w", zarr_format=version)
    group.attrs["energy_keV"] = 200
    data = group.create_array("scan/dp", shape=values.shape, chunks=chunks, dtype=values.dtype)
    data[:] = values
    data.attrs.update(dx_A=[0.1, 0.2], note="text")
    probe = group.create_array("probe", shape=(4, 4), dtype="complex64")
    probe[:] = 1j
    return path


def opened(path: Path, **config: Any) -> Any:
    return open_source(Data(path=str(path), **config))


@pytest.mark.parametrize("version", [2, 3])
def test_stores_of_both_versions(tmp_path: Path, version: int) -> None:
    source = opened(write(tmp_path / "a.zarr", version))
    assert source.scan_shape == (3, 4)
    assert source.calibration.energy_kev == 200
    assert source.calibration.dk_inverse_angstrom == pytest.approx((1 / 0.6, 1.0))
    np.testing.assert_array_equal(source.read([11, 0, 5]), FLAT[[11, 0, 5]])
    np.testing.assert_array_equal(np.concatenate([part for _, part in source.slabs(5)]), FLAT)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(source)).read([7]), FLAT[[7]])
    np.testing.assert_array_equal(read_array(tmp_path / "a.zarr", "probe"), np.full((4, 4), 1j))
    assert "scan/dp (3, 4, 6, 5) uint16" in describe(tmp_path / "a.zarr")
    with pytest.raises(DataError, match=r"did you mean 'scan/dp'"):
        opened(tmp_path / "a.zarr", key="scan/pd")


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("dtype", ["uint8", "int16", ">u2", "uint32", "float16", "float32", ">f4", "float64", "bool"])
def test_fault_26_every_type_of_a_store_that_is_an_array(tmp_path: Path, version: int, dtype: str) -> None:
    array = zarr.create_array(str(tmp_path / "a"), shape=FLAT.shape, dtype=dtype, chunks=(4, 6, 5), zarr_format=version)
    array[:] = FLAT.astype(dtype)
    source = opened(tmp_path / "a", scan_shape=(3, 4))
    assert source.dtype == np.dtype(dtype).newbyteorder("=")
    np.testing.assert_array_equal(source.read([9, 2]), FLAT.astype(dtype)[[9, 2]])


def chunk_files(path: Path) -> list[Path]:
    return sorted(file for file in path.rglob("*") if file.is_file() and not file.name.startswith((".", "zarr")))


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("left", [0, 7, 30])
def test_fault_16_a_truncated_chunk(tmp_path: Path, version: int, left: int) -> None:
    path = write(tmp_path / "a.zarr", version)
    for chunk in chunk_files(path / "scan"):
        chunk.write_bytes(chunk.read_bytes()[:left])
    with pytest.raises(DataError, match=r"scan/dp.* is damaged or cut off"):
        opened(path).read([0])


def test_fault_16_a_truncated_blosc_chunk_of_version_3(tmp_path: Path) -> None:
    codec = zarr.codecs.BloscCodec()
    path = str(tmp_path / "a")
    array = zarr.create_array(path, shape=FLAT.shape, dtype="u2", chunks=(4, 6, 5), compressors=codec)
    array[:] = FLAT
    np.testing.assert_array_equal(opened(tmp_path / "a").read([9]), FLAT[[9]])
    for chunk in chunk_files(tmp_path / "a"):
        chunk.write_bytes(chunk.read_bytes()[:40])
    with pytest.raises(DataError, match=r"chunk \(2, 0, 0\) is damaged or cut off: 40 of \d+ bytes"):
        opened(tmp_path / "a").read([9])


@pytest.mark.parametrize("version", [2, 3])
def test_fault_18_metadata_that_claim_too_much(tmp_path: Path, version: int) -> None:
    path = write(tmp_path / "a.zarr", version)
    file = path / "scan/dp" / (".zarray" if version == 2 else "zarr.json")
    for shape, chunks in (([10**7, 4096, 4096, 10], [1, 2, 6, 5]), ([10**6, 10**6, 10**6], [10**6, 10**6, 10**6])):
        metadata = json.loads(file.read_text())
        metadata["shape"] = shape
        if version == 2:
            metadata["chunks"] = chunks
        else:
            metadata["chunk_grid"]["configuration"]["chunk_shape"] = chunks
        file.write_text(json.dumps(metadata))
        tracemalloc.start()
        with pytest.raises(DataError, match=r"declares \d+ bytes"):
            opened(path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 24
        tracemalloc.stop()


def test_fault_23_pickled_stores_are_refused_unread(tmp_path: Path) -> None:
    path = write(tmp_path / "a.zarr", 2)
    metadata = json.loads((path / "scan/dp/.zarray").read_text())
    (path / "scan/dp/.zarray").write_text(json.dumps({**metadata, "dtype": "|O", "filters": [{"id": "pickle"}]}))
    with pytest.raises(DataError, match=r"(?s)no 3-D or 4-D|refused unread"):
        opened(path)
    with pytest.raises(DataError, match=r"no dataset|refused unread"):
        opened(path, key="scan/dp")


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"zarr_format": 9}', "[" * 5000, '{"shape": [1, -1]}', "\0"])
def test_damaged_metadata(tmp_path: Path, version: int, text: str) -> None:
    path = write(tmp_path / "a.zarr", version)
    (path / "scan/dp" / (".zarray" if version == 2 else "zarr.json")).write_text(text)
    for read in (opened, read_array, describe):
        try:
            read(path)
        except DataError:
            continue


def test_one_pattern_does_not_pull_the_store_into_memory(tmp_path: Path) -> None:
    values = np.zeros((8, 32, 128, 128), np.float32)
    values[3, 4] = 7
    path = write(tmp_path / "a.zarr", 3, values, (1, 1, 128, 128))
    source = opened(path)
    source.read([0])  # what the package loads once does not count
    tracemalloc.start()
    assert source.read([3 * 32 + 4]).min() == 7
    assert tracemalloc.get_traced_memory()[1] < 1 << 21
    tracemalloc.stop()


def test_an_absent_package_is_named_with_its_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.zarr", 2)
    monkeypatch.setitem(__import__("sys").modules, "zarr", None)
    with pytest.raises(DataError, match=r"pip install 'ptycupy\[zarr\]'"):
        opened(path)
