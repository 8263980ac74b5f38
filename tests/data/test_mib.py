"""Merlin files built from the format's description, against rosettasciio where it reads them."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ptycupy.config.schema import Data
from ptycupy.data import describe, open_source
from ptycupy.errors import DataError

DEPTHS = {"U08": ">u1", "U16": ">u2", "U32": ">u4"}


def frame_header(number: int, size: tuple[int, int], depth: str, chips: int = 1, bits: int = 12) -> bytes:
    """An MQ1 header with its MQ1A extension: size (y, x) as the file has it."""
    length, layout = (384, "   1x1") if chips == 1 else (768, "   2x2")
    text = f"MQ1,{number:06},{length:05},{chips:02},{size[1]:04},{size[0]:04},{depth},{layout},{2**chips - 1:02X},"
    text += "2019-08-23 12:01:59.513190,0.001000,0,0,0," + ",".join(["1.2E+1"] * 8) + ",3RX,"
    text += ",".join(["175"] * 27 * chips)[: 400 if chips == 4 else 120]
    text += f",MQ1A,2019-08-23T11:01:59.513190125Z,1000000ns,{bits},"
    assert len(text) <= length
    return text.encode().ljust(length, b"\0")


def write(path: Path, frames: np.ndarray[Any, Any], depth: str, chips: int = 1, bits: int = 12, **hdr: int) -> Path:
    """Frames [n, y, x] in the file's own arrangement."""
    payloads = frames.astype(DEPTHS[depth]) if depth in DEPTHS else frames
    size = frames.shape[1:]
    with open(path, "wb") as file:
        for number, payload in enumerate(payloads, 1):
            file.write(frame_header(number, size, depth, chips, bits) + payload.tobytes())
    if hdr:
        lines = "".join(f"{name.replace('_', ' ')} (Number):\t{value}\n" for name, value in hdr.items())
        path.with_suffix(".hdr").write_text(f"HDR,\t\nTime and Date Stamp:\t23/08/2019\n{lines}End\t\n")
    return path


def encode_raw(image: np.ndarray[Any, Any], bits: int) -> np.ndarray[Any, Any]:
    """Pixel by pixel, as the chips send them: within each word of 64 bits the last pixel comes first."""
    values, out = image.ravel().tolist(), bytearray()
    per_word = {1: 64, 6: 8, 12: 4}[bits]
    for start in range(0, len(values), per_word):
        word = sum(value << (64 // per_word * place) for place, value in enumerate(values[start : start + per_word]))
        out += word.to_bytes(8, "big")
    return np.frombuffer(bytes(out), np.uint8)


def write_raw(path: Path, images: np.ndarray[Any, Any], bits: int, chips: int) -> Path:
    """Images [n, y, x]; chips 1 2 / 3 4 are read out in rows of 4, 3, 2, 1, the lower two turned by 180 degrees."""
    with open(path, "wb") as file:
        for number, image in enumerate(images, 1):
            if chips == 4:
                half = image.shape[0] // 2
                upper, lower = image[:half], image[half:][::-1, ::-1]
                # turned as a whole, the lower half has chip 4 on its left
                image = np.concatenate([lower[:, :half], lower[:, half:], upper[:, half:], upper[:, :half]], axis=1)
            parts = [image >> 12, image & 0xFFF] if bits == 24 else [image]
            payload = np.concatenate([encode_raw(part, min(bits, 12)) for part in parts])
            size = (image.shape[0], image.shape[1] * len(parts))
            file.write(frame_header(number, size, "R64", chips, bits) + payload.tobytes())
    return path


def drawn(count: int, side: int, bits: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(4).integers(0, 2**bits, (count, side, side))


@pytest.mark.parametrize("chips", [1, 4])
@pytest.mark.parametrize("depth", DEPTHS)
def test_processed_counts_as_rosettasciio_reads_them(tmp_path: Path, depth: str, chips: int) -> None:
    rsciio = pytest.importorskip("rsciio.quantumdetector", reason="rosettasciio is not installed")
    frames = np.random.default_rng(3).integers(0, 200, (12, 32, 32))
    path = write(tmp_path / "a.mib", frames, depth, chips, Frames_in_Acquisition=12, Frames_per_Trigger=4)
    source = open_source(Data(path=str(path)))
    (other,) = rsciio.file_reader(str(path))
    assert source.scan_shape == (3, 4)
    assert source.dtype == np.dtype(DEPTHS[depth]).newbyteorder("=")
    np.testing.assert_array_equal(source.read([11, 0, 5]), frames[[11, 0, 5]])
    expected = np.asarray(other["data"])[..., ::-1, :].reshape(12, 32, 32)  # it turns them upside down
    np.testing.assert_array_equal(source.read(np.arange(12)), expected)


@pytest.mark.parametrize("bits", [1, 6, 12, 24])
@pytest.mark.parametrize("chips", [1, 4])
def test_raw_bits_of_one_and_four_chips(tmp_path: Path, bits: int, chips: int) -> None:
    images = drawn(4, 64 if chips == 1 else 128, bits)
    source = open_source(Data(path=str(write_raw(tmp_path / "a.mib", images, bits, chips))))
    assert source.dtype == {1: np.uint8, 6: np.uint8, 12: np.uint16, 24: np.uint32}[bits]
    assert source.scan_shape == (2, 2)
    np.testing.assert_array_equal(source.read([3, 0, 1]), images[[3, 0, 1]])


def test_scan_shape_by_scan_x_and_y_and_without_hdr(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mib", drawn(6, 16, 8), "U16")
    assert open_source(Data(path=str(path))).scan_shape is None
    path.with_suffix(".hdr").write_text("HDR,\t\nScanX:\t3\nScanY:\t2\nEnd\t\n")
    assert open_source(Data(path=str(path))).scan_shape == (2, 3)
    path.with_suffix(".hdr").write_text("text")
    assert open_source(Data(path=str(path))).scan_shape is None
    assert "format mib" in describe(path)


def test_magic_bytes_win_over_the_name(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mib", drawn(4, 16, 8), "U16")
    path.rename(tmp_path / "a.dat")
    np.testing.assert_array_equal(open_source(Data(path=str(tmp_path / "a.dat"))).read([2]), drawn(4, 16, 8)[[2]])


@pytest.mark.parametrize("left", [0.1, 0.55, 0.99])
def test_fault_16_truncated_mib(tmp_path: Path, left: float) -> None:
    path = write(tmp_path / "a.mib", drawn(12, 32, 8), "U16")
    size = int(path.stat().st_size * left)
    os.truncate(path, size)
    with pytest.raises(DataError, match=rf"truncated: {size} of \d+ bytes"):
        open_source(Data(path=str(path)))


def test_fault_16_fewer_frames_than_the_hdr_says(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mib", drawn(6, 32, 8), "U16", Frames_in_Acquisition=12, Frames_per_Trigger=4)
    with pytest.raises(DataError, match=r"truncated: .* 12 frames by its \.hdr, 6 in the file.*2 x 3"):
        open_source(Data(path=str(path)))
    assert open_source(Data(path=str(path), scan_shape=(2, 3))).scan_shape == (2, 3)


@pytest.mark.parametrize(
    ("old", "new"), [(b",0032,0032,", b",9999,9999,"), (b",00384,", b",99999,"), (b"U16", b"R64"), (b"U16", b"X16")]
)
def test_fault_18_headers_that_claim_too_much(tmp_path: Path, old: bytes, new: bytes) -> None:
    path = write(tmp_path / "a.mib", drawn(4, 32, 8), "U16", bits=13)
    path.write_bytes(path.read_bytes().replace(old, new))
    tracemalloc.start()
    with pytest.raises(DataError, match=r"truncated|damaged|counter depth 13"):
        open_source(Data(path=str(path)))
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def test_fault_28_a_mib_shortened_during_the_run(tmp_path: Path) -> None:
    for path in (
        write(tmp_path / "a.mib", drawn(4, 64, 8), "U16"),
        write_raw(tmp_path / "b.mib", drawn(4, 64, 6), 6, 1),
    ):
        source = open_source(Data(path=str(path)))
        os.truncate(path, 5000)
        with pytest.raises(DataError, match="truncated|became|left|bytes"):
            source.read([3])


@pytest.mark.parametrize("bits", [0, 12])
def test_one_pattern_does_not_pull_the_file_into_memory(tmp_path: Path, bits: int) -> None:
    if bits:
        path = write_raw(tmp_path / "a.mib", drawn(1, 64, 12), bits, 1)
    else:
        path = write(tmp_path / "a.mib", drawn(1, 64, 12), "U16")
    path.write_bytes(path.read_bytes() * 1024)
    source = open_source(Data(path=str(path)))
    tracemalloc.start()
    np.testing.assert_array_equal(source.read([777])[0], drawn(1, 64, 12)[0])
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()
