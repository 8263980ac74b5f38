"""NumPy's .npz and MATLAB's .mat against what NumPy, SciPy and h5py wrote."""

from __future__ import annotations

import os
import struct
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import scipy.io

from ptycupy.config.schema import Data
from ptycupy.data import describe, open_source, read_array
from ptycupy.errors import DataError

STACK = np.random.default_rng(5).integers(0, 60_000, (12, 6, 5)).astype(np.uint16)
WAVE = np.random.default_rng(6).normal(size=(3, 4, 2)) @ np.array([1, 1j])
TYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32", "float64", "bool")


def check(path: Path, expected: np.ndarray[Any, Any], **config: Any) -> None:
    source = open_source(Data(path=str(path), **config))
    flat = expected.reshape(-1, *expected.shape[-2:])
    assert source.shape == flat.shape
    assert source.dtype == flat.dtype.newbyteorder("=")
    order = [len(flat) - 1, 0, 3, 3]
    np.testing.assert_array_equal(source.read(order), flat[order])


def matlab_73(path: Path, arrays: dict[str, np.ndarray[Any, Any]]) -> Path:
    """As MATLAB writes it: axes reversed, a user block with its text, complex numbers as (real, imag)."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, values in arrays.items():
            turned = np.ascontiguousarray(values.T)
            if turned.dtype.kind == "c":
                part = turned.real.dtype
                turned = turned.view([("real", part), ("imag", part)])
            data = file.create_dataset(name, data=turned, chunks=turned.shape if turned.ndim > 2 else None)
            data.attrs["MATLAB_class"] = np.bytes_("double")
        file["#refs#/a"] = np.zeros((3, 4, 4))
    text = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\0\2IM"
    with open(path, "r+b") as stream:
        stream.write(text)
    return path


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("order", ["C", "F"])
def test_npz_by_key_and_without(tmp_path: Path, save: Any, order: str) -> None:
    save(tmp_path / "a.npz", dp=np.asarray(STACK, order=order), probe=WAVE, n=np.array(3))
    check(tmp_path / "a.npz", STACK)
    check(tmp_path / "a.npz", STACK, key="dp")
    np.testing.assert_array_equal(read_array(tmp_path / "a.npz", "probe"), WAVE)
    np.testing.assert_array_equal(read_array(tmp_path / "a.npz", "probe.npy"), WAVE)
    assert "dp (12, 6, 5) uint16" in describe(tmp_path / "a.npz")
    with pytest.raises(DataError, match=r"(?s)no dataset 'prob'; did you mean 'probe'.*dp \(12, 6, 5\) uint16"):
        read_array(tmp_path / "a.npz", "prob")
    with pytest.raises(DataError, match=r"(?s)2 datasets could be meant.*dp .*probe"):
        read_array(tmp_path / "a.npz")


@pytest.mark.parametrize("dtype", [*TYPES, ">u2", ">f4", ">f8", "float16"])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_fault_26_every_type_in_npz(tmp_path: Path, save: Any, dtype: str) -> None:
    save(tmp_path / "a.npz", dp=STACK.astype(dtype))
    check(tmp_path / "a.npz", STACK.astype(dtype))


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("compressed", [False, True])
def test_fault_26_every_type_in_matlab_5(tmp_path: Path, dtype: str, compressed: bool) -> None:
    scipy.io.savemat(tmp_path / "a.mat", {"dp": STACK.astype(dtype)}, do_compression=compressed)
    check(tmp_path / "a.mat", STACK.astype(dtype))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64", ">f4"])
def test_fault_26_every_type_in_matlab_73(tmp_path: Path, dtype: str) -> None:
    check(matlab_73(tmp_path / "a.mat", {"dp": STACK.astype(dtype)}), STACK.astype(dtype))


@pytest.mark.parametrize("compressed", [False, True])
def test_structs_cells_and_complex_arrays_of_matlab_5(tmp_path: Path, compressed: bool) -> None:
    cell = np.empty((1, 2), object)
    cell[0, 0], cell[0, 1] = WAVE, WAVE.astype(np.complex64) * 2
    content = {
        "dp": STACK,
        "object": cell,
        "outputs": {"probe_positions": np.arange(6.0).reshape(3, 2), "name": "text", "deep": {"probe": WAVE * 3}},
        "sparse": scipy.sparse.eye(3),
    }
    scipy.io.savemat(tmp_path / "a.mat", content, do_compression=compressed)
    path = tmp_path / "a.mat"
    np.testing.assert_array_equal(read_array(path, "object/0"), WAVE)
    assert read_array(path, "object/1").dtype == np.complex64
    np.testing.assert_array_equal(read_array(path, "object/1"), (WAVE * 2).astype(np.complex64))
    np.testing.assert_array_equal(read_array(path, "outputs.probe_positions"), np.arange(6.0).reshape(3, 2))
    np.testing.assert_array_equal(read_array(path, "outputs/deep/probe"), WAVE * 3)
    check(path, STACK)
    assert "outputs/deep/probe (3, 4) complex128" in describe(path)


def test_matlab_stores_doubles_that_are_small_integers_narrowly(tmp_path: Path) -> None:
    body = struct.pack("<IIII", 6, 8, 6, 0) + struct.pack("<II2i", 5, 8, 2, 3)
    body += struct.pack("<HH4s", 1, 2, b"dp") + struct.pack("<II6B", 2, 6, *range(6)) + bytes(2)
    head = b"MATLAB 5.0 MAT-file".ljust(116) + bytes(8) + struct.pack("<H", 0x0100) + b"IM"
    (tmp_path / "a.mat").write_bytes(head + struct.pack("<II", 14, len(body)) + body)
    expected = scipy.io.loadmat(tmp_path / "a.mat")["dp"]
    values = read_array(tmp_path / "a.mat")
    assert values.dtype == np.float64
    np.testing.assert_array_equal(values, expected)
    np.testing.assert_array_equal(values, [[0, 2, 4], [1, 3, 5]])


def test_matlab_5_of_a_big_endian_machine(tmp_path: Path) -> None:
    body = struct.pack(">IIII", 6, 8, 11, 0) + struct.pack(">II2i", 5, 8, 2, 3)
    body += struct.pack(">II2s6x", 1, 2, b"dp") + struct.pack(">II6H", 4, 12, *range(300, 306)) + bytes(4)
    head = b"MATLAB 5.0 MAT-file".ljust(116) + bytes(8) + struct.pack(">H", 0x0100) + b"MI"
    (tmp_path / "a.mat").write_bytes(head + struct.pack(">II", 14, len(body)) + body)
    np.testing.assert_array_equal(read_array(tmp_path / "a.mat"), scipy.io.loadmat(tmp_path / "a.mat")["dp"])


def test_matlab_5_and_73_give_the_same_arrays(tmp_path: Path) -> None:
    stack, wave = np.moveaxis(STACK, 0, -1), WAVE.astype(np.complex64)
    scipy.io.savemat(tmp_path / "5.mat", {"dp": stack, "probe": wave})
    matlab_73(tmp_path / "7.mat", {"dp": stack, "probe": wave})
    for name in ("5.mat", "7.mat"):
        check(tmp_path / name, STACK, permute=(2, 0, 1))
        np.testing.assert_array_equal(read_array(tmp_path / name, "probe"), wave)
        assert read_array(tmp_path / name, "probe").dtype == np.complex64
        assert "dp (6, 5, 12) uint16" in describe(tmp_path / name)


def stacks(folder: Path) -> list[Path]:
    """Files of 16 MiB that hold a 4-D stack uncompressed."""
    values = np.zeros((16, 16, 128, 128), np.float32)
    values[3, 4] = 7
    np.savez(folder / "a.npz", dp=values)
    scipy.io.savemat(folder / "5.mat", {"dp": values.transpose(3, 2, 1, 0)})
    matlab_73(folder / "7.mat", {"dp": values.transpose(3, 2, 1, 0)})
    with h5py.File(folder / "7.mat", "r+") as file:
        del file["dp"]
        file["dp"] = values
    return [folder / "a.npz", folder / "5.mat", folder / "7.mat"]


def test_one_pattern_does_not_pull_the_stack_into_memory(tmp_path: Path) -> None:
    for path in stacks(tmp_path):
        permute = None if path.suffix == ".npz" else (3, 2, 1, 0)
        tracemalloc.start()
        assert open_source(Data(path=str(path), permute=permute)).read([3 * 16 + 4]).min() == 7
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 1 << 21, path


@pytest.mark.parametrize("name", ["a.npz", "compressed.npz", "a.mat", "compressed.mat", "7.mat"])
@pytest.mark.parametrize("left", [0.2, 0.6, 0.97])
def test_fault_16_truncated_archives_say_x_of_y_bytes(tmp_path: Path, name: str, left: float) -> None:
    path = tmp_path / name
    save(path)
    size = int(path.stat().st_size * left)
    os.truncate(path, size)
    with pytest.raises(DataError, match=rf"truncated: {size} of \d+ bytes"):
        open_source(Data(path=str(path))).read(np.arange(12))


def save(path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 60_000, (12, 24, 24)).astype(np.uint16)
    if path.suffix == ".npz":
        (np.savez_compressed if "comp" in path.name else np.savez)(path, dp=noise)
    elif path.name == "7.mat":
        matlab_73(path, {"dp": noise})
    else:
        scipy.io.savemat(path, {"dp": noise}, do_compression="comp" in path.name)


@pytest.mark.parametrize("name", ["compressed.npz", "compressed.mat"])
def test_fault_17_a_flipped_byte_is_noticed(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    save(path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"(dp|compressed variable at byte \d+) (is damaged|unpacks to)"):
        open_source(Data(path=str(path))).read(np.arange(12))


def lying_npz(path: Path, compression: int) -> None:
    header = str({"descr": "<f8", "fortran_order": False, "shape": (10**7, 4096, 4096)}).ljust(117) + "\n"
    body = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + bytes(64)
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("dp.npy", body)


def lying_mat(path: Path) -> None:
    scipy.io.savemat(path, {"dp": STACK})
    content = bytearray(path.read_bytes())
    place = content.index(struct.pack("<3i", *STACK.shape))
    content[place : place + 12] = struct.pack("<3i", 2**31 - 1, 2**31 - 1, 2**31 - 1)
    path.write_bytes(content)


def lying_compressed_mat(path: Path) -> None:
    import zlib

    body = zlib.compress(struct.pack("<IIIIII", 14, 2**32 - 64, 6, 8, 9, 0) + struct.pack("<II2i", 5, 8, 65536, 65535))
    head = b"MATLAB 5.0 MAT-file".ljust(116) + bytes(8) + struct.pack("<H", 0x0100) + b"IM"
    path.write_bytes(head + struct.pack("<II", 15, len(body)) + body)


LIES = {
    "stored.npz": lambda path: lying_npz(path, zipfile.ZIP_STORED),
    "deflated.npz": lambda path: lying_npz(path, zipfile.ZIP_DEFLATED),
    "a.mat": lying_mat,
    "compressed.mat": lying_compressed_mat,
}


@pytest.mark.parametrize("name", LIES)
def test_fault_18_a_header_that_claims_too_much_is_refused_before_allocation(tmp_path: Path, name: str) -> None:
    LIES[name](tmp_path / name)
    tracemalloc.start()
    with pytest.raises(DataError, match=r"(?s)\d+ .*bytes"):
        open_source(Data(path=str(tmp_path / name))).read([0])
    assert tracemalloc.get_traced_memory()[1] < 1 << 22
    tracemalloc.stop()


class Bomb:
    def __reduce__(self) -> Any:
        return pytest.fail, ("the pickle was executed",)


def test_fault_23_pickles_in_archives_are_refused_and_never_run(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.array([Bomb()], object))
    with zipfile.ZipFile(tmp_path / "torch.npz", "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02.")
    for name in ("a.npz", "torch.npz"):
        for read in (lambda path: open_source(Data(path=str(path))), read_array):
            with pytest.raises(DataError, match="pickle.*refused"):
                read(tmp_path / name)
    np.savez(tmp_path / "b.npz", dp=STACK, x=np.array([Bomb()], object))
    check(tmp_path / "b.npz", STACK)


def test_a_matlab_4_file_is_refused_with_the_command(tmp_path: Path) -> None:
    scipy.io.savemat(tmp_path / "a.mat", {"dp": STACK[0]}, format="4")
    with pytest.raises(DataError, match=r"not a MATLAB 5 file .*'-v7\.3'"):
        read_array(tmp_path / "a.mat")
