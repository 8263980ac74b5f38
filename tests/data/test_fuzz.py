"""Whatever the bytes, a file is read or a DataError says why not; nothing else is ever raised, and nothing hangs."""

from __future__ import annotations

import io
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io
import tifffile
from data.fuzzing import attempt, cuts, ends, enlarge, flip, parts
from data.samples import FLAT, SQUARE, WRITERS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ptycupy.config.schema import Data
from ptycupy.data import open_source
from ptycupy.data.readers import FORMATS, detect
from ptycupy.errors import DataError

SUFFIXES = (".h5", ".npy", ".tif", ".raw", ".txt", ".csv", ".mat", ".npz", ".mib", "")
MAGICS = (
    b"",
    b"\x89HDF\r\n\x1a\n",
    b"\x93NUMPY\x01\x00v\x00",
    b"\x93NUMPY\x02\x00",
    b"II*\0\x08\0\0\0",
    b"MM\0+\0\x08\0\0",
    b"PK\x03\x04",
    b"MQ1,000001,00384,01,0008,0008,U16,   1x1,",
    b"MQ1,000001,00384,04,0032,0008,R64,   2x2,MQ1A,a,b,6,",
    b"MATLAB 5.0 MAT-file".ljust(124) + b"\0\1IM\x0e\0\0\0",
)
STACK = np.arange(3 * 4 * 4, dtype=np.uint16).reshape(3, 4, 4)
FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def valid() -> dict[str, bytes]:
    """Small files of each format, to be damaged."""
    npy, tiff, zlib, npz, mat = (io.BytesIO() for _ in range(5))
    np.savez_compressed(npz, dp=STACK, probe=STACK[0] * 1j)
    content = {"dp": STACK, "p": {"probe": STACK[0] * 1j}}
    scipy.io.savemat(mat, content)
    packed = io.BytesIO()
    scipy.io.savemat(packed, content, do_compression=True)
    stored = io.BytesIO()
    np.savez(stored, dp=STACK)
    np.save(npy, STACK)
    tifffile.imwrite(tiff, STACK, photometric="minisblack", imagej=True)
    tifffile.imwrite(zlib, STACK, photometric="minisblack", compression="zlib")
    files = {".npy": npy, ".tif": tiff, ".tiff": zlib, ".npz": npz, ".mat": mat, ".b.mat": packed, ".b.npz": stored}
    mib = b"MQ1,000001,00384,01,0004,0004,U16,   1x1,".ljust(384, b"\0") + bytes(32)
    raw = b"MQ1,000001,00384,01,0008,0004,R64,   1x1,MQ1A,a,b,6,".ljust(384, b"\0") + bytes(32)
    return {suffix: content.getvalue() for suffix, content in files.items()} | {".mib": mib * 4, ".raw.mib": raw * 4}


VALID = valid()


@FUZZ
@given(suffix=st.sampled_from(SUFFIXES), magic=st.sampled_from(MAGICS), body=st.binary(max_size=400))
def test_random_bytes(tmp_path: Path, suffix: str, magic: bytes, body: bytes) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(magic + body)
    attempt(path)


@FUZZ
@given(suffix=st.sampled_from(sorted(VALID)), data=st.data())
def test_damaged_files(tmp_path: Path, suffix: str, data: st.DataObject) -> None:
    content = bytearray(VALID[suffix])
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, min(len(content), 900) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))] if data.draw(st.booleans()) else content)
    attempt(path)


@FUZZ
@given(header=st.text(max_size=80) | st.sampled_from(["{" * 200, "(" * 9000, "1" * 5000, "'\\d'", "{'descr': 1}"]))
def test_npy_headers(tmp_path: Path, header: str) -> None:
    text = header.encode("utf-8", "surrogatepass")
    path = tmp_path / "a.npy"
    path.write_bytes(b"\x93NUMPY\x02\x00" + len(text).to_bytes(4, "little") + text)
    attempt(path)


@FUZZ
@given(cut=st.integers(0, 4000))
def test_hdf5_cut_anywhere(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("entry/dp", data=STACK, chunks=(1, 4, 4), compression="gzip")
    content = path.read_bytes()
    path.write_bytes(content[: min(cut, len(content) - 1)])
    with pytest.raises(DataError):
        open_source(Data(path=str(path))).read([0, 1, 2])


@FUZZ
@given(text=st.text(alphabet="0123456789.,;eE+- #\n\tnaif", max_size=200))
def test_text_tables(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text)
    attempt(path)


@FUZZ
@given(text=st.binary(max_size=300) | st.text(alphabet="HDR,Scan XY:\t\n0123456789()", max_size=200).map(str.encode))
def test_hdr_beside_a_mib(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "a.mib"
    path.write_bytes(VALID[".mib"])
    path.with_suffix(".hdr").write_bytes(b"HDR,\n" + text)
    attempt(path)


@FUZZ
@given(text=st.binary(max_size=300) | st.text(alphabet="<>/=\"'abmodeXML &;", max_size=200).map(str.encode))
def test_xml_beside_a_raw_file(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "a.raw"
    path.write_bytes(bytes(128 * 128 * 4 + 1024))
    path.with_suffix(".xml").write_bytes(text)
    attempt(path)


# --- every format and layout, as other packages write it ------------------------------------------------------
NOT_OF_STACK = ("counts.mib", "bits.mib", "scan.raw")  # formats without a writer: their tests compare elsewhere
OPTIONS = {"velox.emd": {"format": "rosettasciio"}}


def test_every_format_has_a_sample(tmp_path: Path) -> None:
    assert {detect(write(tmp_path / name)).name for name, write in WRITERS.items()} == {one.name for one in FORMATS}


@pytest.mark.parametrize("name", [name for name in WRITERS if name not in NOT_OF_STACK])
def test_what_others_wrote_is_read(tmp_path: Path, name: str) -> None:
    source = open_source(Data(path=str(WRITERS[name](tmp_path / name)), **OPTIONS.get(name, {})))
    expected = SQUARE.reshape(12, 5, 5) if name == "block.blo" else FLAT
    np.testing.assert_array_equal(source.read([11, 0, 7, 6]), expected[[11, 0, 7, 6]])


@pytest.mark.parametrize("name", WRITERS)
def test_damaged_samples_end_in_values_or_a_data_error(tmp_path: Path, name: str) -> None:
    """Cut, flipped and with huge numbers; what is read of a cut file is right.

    HDF5's library itself is not proof against damage: where it was found to turn round for ever (texts in a heap), the
    readers look before they read. More than 4000 flipped files of these layouts gave no crash and no other hang.
    """
    path = WRITERS[name](tmp_path / name)
    options = OPTIONS.get(name, {})
    whole = ends(path, **options)
    rng = np.random.default_rng(sum(name.encode()))
    for file in parts(path, rng):
        content = file.read_bytes()
        for damaged in cuts(content, rng, 5):
            file.write_bytes(damaged)
            patterns = attempt(path, **options)
            if patterns is not None and patterns.shape == whole.shape and file == path:
                np.testing.assert_array_equal(patterns[1], whole[1])
        for damage in (flip, enlarge):
            for _ in range(6):
                file.write_bytes(damage(content, rng))
                attempt(path, **options)
        file.write_bytes(content)
