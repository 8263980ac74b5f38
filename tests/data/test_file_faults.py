"""Files that are missing, cut, damaged or lying: one clear DataError each (rows 14 to 29 of the fault list)."""

from __future__ import annotations

import os
import pickle
import struct
import time
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile

from ptycupy.config.schema import Data
from ptycupy.data import describe, open_source, read_array, require_scan_shape
from ptycupy.errors import ConfigError, DataError

STACK = np.arange(12 * 16 * 16, dtype=np.uint16).reshape(12, 16, 16)


def opened(path: Path, **config: Any) -> Any:
    return open_source(Data(path=str(path), **config))


def read_all(path: Path, **config: Any) -> None:
    source = opened(path, **config)
    source.read(np.arange(source.shape[0]))


def write(path: Path) -> Path:
    if path.suffix == ".h5":
        with h5py.File(path, "w") as file:
            file["dp"] = STACK
    elif path.suffix == ".npy":
        np.save(path, STACK)
    elif path.suffix == ".raw":
        path.write_bytes(bytes(12 * (128 * 128 * 4 + 1024)))
    else:
        options: dict[str, Any] = {"compression": "zlib"} if "zlib" in path.name else {}
        tifffile.imwrite(path, STACK, photometric="minisblack", imagej="imagej" in path.name, **options)
    return path


def test_fault_14_missing_file_names_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "scan_012.h5").write_bytes(b"x")
    (tmp_path / "notes.md").write_bytes(b"x")
    with pytest.raises(DataError, match=r"scan_12\.h5: no such file; .* holds scan_012\.h5 and more"):
        opened(tmp_path / "scan_12.h5")
    with pytest.raises(DataError, match=rf"{tmp_path}/sub/a\.h5: no such file; {tmp_path} holds"):
        opened(tmp_path / "sub" / "a.h5")
    with pytest.raises(DataError, match="is a folder"):
        opened(tmp_path)
    with pytest.raises(ConfigError, match=r"data\.path"):
        open_source(Data())


def test_fault_14_names_that_the_system_refuses(tmp_path: Path) -> None:
    for name in ("a" * 300 + ".h5", "a\0b.h5"):
        with pytest.raises(DataError):
            opened(tmp_path / name)


@pytest.mark.parametrize("content", [b"", b"only text\n" * 40])
def test_fault_15_empty_or_text_file_named_h5(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.h5").write_bytes(content)
    with pytest.raises(DataError, match=f"not an HDF5 file.*{len(content)} bytes"):
        opened(tmp_path / "a.h5")


@pytest.mark.parametrize("suffix", [".npy", ".tif", ".raw"])
def test_fault_15_empty_file_of_any_name(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"a{suffix}").write_bytes(b"")
    with pytest.raises(DataError, match=r"\b0 (bytes|of)"):
        opened(tmp_path / f"a{suffix}")


@pytest.mark.parametrize("name", ["a.h5", "a.npy", "a.raw", "a.tif", "a_zlib.tif", "a_imagej.tif"])
@pytest.mark.parametrize("left", [0.35, 0.9])
def test_fault_16_truncated_files_say_x_of_y_bytes(tmp_path: Path, name: str, left: float) -> None:
    path = write(tmp_path / name)
    size = int(path.stat().st_size * left)
    os.truncate(path, size)
    with pytest.raises(DataError, match=rf"truncated: {size} of \d+ bytes"):
        read_all(path)
    with pytest.raises(DataError, match="truncated"):
        describe(path)


def test_fault_16_truncation_inside_the_npy_header(tmp_path: Path) -> None:
    path = write(tmp_path / "a.npy")
    os.truncate(path, 40)
    with pytest.raises(DataError, match=r"truncated: 40 of 128 bytes"):
        opened(path)


def test_fault_17_flipped_byte_names_dataset_and_chunk(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        data = file.create_dataset("entry/dp", data=STACK, chunks=(4, 16, 16), fletcher32=True)
        place = data.id.get_chunk_info(1).byte_offset
    content = bytearray(path.read_bytes())
    content[place + 9] ^= 0xFF
    path.write_bytes(content)
    source = opened(path)
    np.testing.assert_array_equal(source.read([1, 9]), STACK[[1, 9]])
    with pytest.raises(DataError, match=r"a\.h5: entry/dp: chunk \[4:8, 0:16, 0:16\] is damaged"):
        source.read(np.arange(12))


def lying_npy(path: Path) -> None:
    header = str({"descr": "<f8", "fortran_order": False, "shape": (10**7, 4096, 4096)}).ljust(117) + "\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + bytes(64))


def lying_tiff(path: Path) -> None:
    tags = [(256, 4, 1, 2**31), (257, 4, 1, 2**31), (258, 3, 1, 16), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 8)]
    tags += [(277, 3, 1, 1), (278, 4, 1, 2**31), (279, 4, 1, 2**32 - 1)]
    body = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    path.write_bytes(b"II*\0" + struct.pack("<IH", 8, len(tags)) + body + bytes(4))


def lying_compressed_tiff(path: Path) -> None:
    tifffile.imwrite(path, np.zeros((16, 16), np.uint16), compression="zlib")
    with tifffile.TiffFile(path, mode="r+") as tif:
        for name in ("ImageWidth", "ImageLength", "RowsPerStrip"):
            tif.pages[0].tags[name].overwrite(60_000)


def lying_hdf5(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("dp", (10**7, 4096, 4096), "f8", chunks=(1, 64, 64))


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("a.npy", lying_npy),
        ("a.tif", lying_tiff),
        ("b.tif", lying_compressed_tiff),
        ("a.h5", lying_hdf5),
    ],
)
def test_fault_18_a_header_that_claims_too_much_is_refused_before_allocation(
    tmp_path: Path, name: str, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path / name)

    def allocate(*_: Any, **__: Any) -> None:
        raise AssertionError("allocated")

    monkeypatch.setattr("ptycupy.data.files.np.empty", allocate)
    started = time.perf_counter()
    with pytest.raises(DataError, match=r"(?s)\d+ .*bytes.*file.*memory"):
        opened(tmp_path / name)
    assert time.perf_counter() - started < 2


def test_fault_18_sparse_hdf5_of_a_sensible_size_is_read(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("dp", (64, 32, 32), "u2", chunks=(1, 32, 32))[3] = 7
    assert opened(tmp_path / "a.h5").read([3]).min() == 7


def test_fault_18_one_pattern_larger_than_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ptycupy.data.files.available_memory", lambda: 100)
    with pytest.raises(DataError, match=r"one pattern.*needs 512 bytes.*memory"):
        opened(write(tmp_path / "a.npy"))


def test_fault_20_dangling_links_and_cycles_are_skipped(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        group = file.create_group("entry")
        group["again"] = group
        group["root"] = h5py.SoftLink("/")
        group["soft"] = h5py.SoftLink("/nowhere")
        group["outside"] = h5py.ExternalLink("gone.h5", "/dp")
        group["dp"] = STACK
        file["alias"] = h5py.SoftLink("/entry/dp")
    np.testing.assert_array_equal(opened(tmp_path / "a.h5").read([2]), STACK[[2]])
    for key in ("entry/soft", "entry/outside"):
        with pytest.raises(DataError, match="is a link to /.*missing"):
            opened(tmp_path / "a.h5", key=key)


def test_fault_21_unknown_filter_is_named_with_the_command(tmp_path: Path) -> None:
    path, code = tmp_path / "a.h5", 32_765
    with h5py.File(path, "w") as file:
        properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        properties.set_chunk((4, 16, 16))
        properties.set_filter(code, h5py.h5z.FLAG_OPTIONAL, ())
        space = h5py.h5s.create_simple(STACK.shape)
        data = h5py.h5d.create(file.id, b"dp", h5py.h5t.STD_U16LE, space, properties)
        data.write_direct_chunk((0, 0, 0), bytes(4 * 16 * 16 * 2), 0)
    with pytest.raises(DataError, match=rf"dp: compressed by HDF5 filter {code}.*pip install -U hdf5plugin"):
        opened(path)
    assert "pip install" in describe(path)


def test_fault_22_no_dataset_or_several_are_listed(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["entry/first"] = STACK
        file["entry/second"] = STACK.astype("f4").reshape(3, 4, 16, 16)
        file["entry/axis"] = np.arange(3)
    with pytest.raises(
        DataError, match=r"(?s)key.*entry/first \(12, 16, 16\) uint16.*entry/second .* float32"
    ) as caught:
        opened(tmp_path / "a.h5")
    assert "axis" not in str(caught.value)
    with pytest.raises(DataError, match=r"(?s)no dataset 'entry/frist'; did you mean 'entry/first'"):
        opened(tmp_path / "a.h5", key="entry/frist")
    with pytest.raises(DataError, match=r"(?s)entry is a group.*entry/second"):
        opened(tmp_path / "a.h5", key="entry")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["axis"] = np.arange(3)
    with pytest.raises(DataError, match=r"(?s)no 3-D or 4-D dataset.*axis \(3,\) int64"):
        opened(tmp_path / "b.h5")
    h5py.File(tmp_path / "c.h5", "w").close()
    with pytest.raises(DataError, match="holds no dataset at all"):
        opened(tmp_path / "c.h5")


class Bomb:
    def __reduce__(self) -> Any:
        return pytest.fail, ("the pickle was executed",)


def test_fault_23_pickles_are_refused_and_never_run(tmp_path: Path) -> None:
    np.save(tmp_path / "object.npy", np.array([Bomb()], dtype=object), allow_pickle=True)
    for name in ("bare.npy", "bare.pt", "bare.pkl"):
        (tmp_path / name).write_bytes(pickle.dumps(Bomb()))
    np.savez(tmp_path / "zip.npz", STACK)
    (tmp_path / "zip.npz").rename(tmp_path / "zip.pt")
    for name in ("object.npy", "bare.npy", "bare.pt", "bare.pkl", "zip.pt"):
        for read in (opened, read_array):
            with pytest.raises(DataError, match="pickle.*refused|refused.*pickle"):
                read(tmp_path / name)


def test_fault_24_empad_size_that_does_not_fit(tmp_path: Path) -> None:
    path = write(tmp_path / "a.raw")
    size = path.stat().st_size
    with pytest.raises(DataError, match=rf"truncated: {size} of {size // 12 * 20} bytes.*3 x 4, 2 x 6, 1 x 12"):
        opened(path, scan_shape=(4, 5))
    with pytest.raises(DataError, match=rf"{size} bytes instead of {size // 12 * 9}.*3 x 4"):
        opened(path, scan_shape=(3, 3))
    path.write_bytes(bytes(12 * 128 * 128 * 4))
    with pytest.raises(DataError, match=r"with data\.gap_bytes 0 it would hold 12: scan shapes 3 x 4"):
        opened(path)
    path.rename(tmp_path / "scan_x5_y4.raw")
    with pytest.raises(DataError, match="a scan of 4 x 5 needs"):
        opened(tmp_path / "scan_x5_y4.raw", gap_bytes=0)


def test_fault_25_scan_shape_is_never_guessed(tmp_path: Path) -> None:
    source = opened(write(tmp_path / "a.npy"))
    assert source.scan_shape is None
    with pytest.raises(DataError, match=r"12 patterns.*data\.scan_shape.*3 x 4, 2 x 6, 1 x 12"):
        require_scan_shape(source)
    with pytest.raises(DataError, match=r"12 patterns, but data\.scan_shape 3 x 5 needs 15; .*3 x 4"):
        opened(tmp_path / "a.npy", scan_shape=(3, 5))
    assert require_scan_shape(opened(tmp_path / "a.npy", scan_shape=(2, 6))) == (2, 6)
    np.save(tmp_path / "b.npy", STACK[:9])
    assert opened(tmp_path / "b.npy").scan_shape == (3, 3)
    np.save(tmp_path / "c.npy", STACK.reshape(3, 4, 16, 16))
    with pytest.raises(DataError, match=r"the file says a scan of 3 x 4, data\.scan_shape 4 x 3"):
        opened(tmp_path / "c.npy", scan_shape=(4, 3))


@pytest.mark.parametrize(
    ("suffix", "dtype"),
    [(".npy", dtype) for dtype in ("complex64", "S4", "U2", "datetime64[s]", [("a", "u1")])]
    + [(".h5", dtype) for dtype in ("complex64", "S4", [("a", "u1")])],
)
def test_fault_27_complex_and_text_are_refused(tmp_path: Path, suffix: str, dtype: Any) -> None:
    values = np.zeros((4, 8, 8), dtype)
    if suffix == ".npy":
        np.save(tmp_path / "a.npy", values)
    else:
        with h5py.File(tmp_path / "a.h5", "w") as file:
            file["dp"] = values
    with pytest.raises(DataError, match="dtype|no 3-D"):
        opened(tmp_path / f"a{suffix}")


def test_fault_27_text_under_a_key(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["names"] = np.array(["a", "b"], dtype=h5py.string_dtype())
    with pytest.raises(DataError, match="not an array of numbers"):
        opened(tmp_path / "a.h5", key="names")


@pytest.mark.parametrize("name", ["a.h5", "a.npy", "a.raw", "a.tif", "a_zlib.tif"])
def test_fault_28_a_file_shortened_during_the_run(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name)
    source = opened(path)
    os.truncate(path, path.stat().st_size // 3)
    with pytest.raises(DataError, match="truncated|cut off|left|not a readable"):
        source.read(np.arange(12))


@pytest.mark.parametrize("name", ["a.npy", "a.raw", "a_zlib.tif"])
def test_fault_28_a_file_deleted_during_the_run(tmp_path: Path, name: str) -> None:
    source = opened(write(tmp_path / name))
    (tmp_path / name).unlink()
    with pytest.raises(DataError, match="no such file|not a readable"):
        source.read([0])


@pytest.mark.parametrize("name", ["a.h5", "a.npy", "a.raw", "a.tif"])
def test_fault_29_permission_denied(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / name)

    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(DataError, match=rf"{name}: permission denied"):
        opened(path)


@pytest.mark.parametrize("shape", [(0, 4, 4), (3, 0, 4), ()])
@pytest.mark.parametrize("suffix", [".npy", ".h5"])
def test_arrays_without_values_are_refused(tmp_path: Path, suffix: str, shape: tuple[int, ...]) -> None:
    if suffix == ".npy":
        np.save(tmp_path / "a.npy", np.zeros(shape))
    else:
        with h5py.File(tmp_path / "a.h5", "w") as file:
            file["dp"] = np.zeros(shape)
    with pytest.raises(DataError, match="holds no values"):
        opened(tmp_path / f"a{suffix}", key="dp" if suffix == ".h5" else None)


def test_unknown_formats_list_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / "a.xyz").write_bytes(b"abc")
    with pytest.raises(DataError, match=r"known: hdf5 .*npy.*tiff.*empad"):
        opened(tmp_path / "a.xyz")
