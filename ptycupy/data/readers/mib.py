"""Merlin .mib (Quantum Detectors): a text header before each frame; processed counts, or the chips' raw bits.

Rows are given in the file's order; some programs turn them upside down (data.orientation.flip_y does). Layout: "Merlin
Medipix3 User Manual", MQ1 and MQ1A headers; the order of raw bits as LiberTEM documents it.
"""

from __future__ import annotations

import logging
import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.data.files import StridedFile, file_size, fill, human, open_binary
from ptycupy.data.readers import ReaderOptions
from ptycupy.data.shapes import likely_shapes
from ptycupy.data.stored import Attributes, StoredArray
from ptycupy.errors import DataError

log = logging.getLogger(__name__)

HEADER_LIMIT = 1 << 14  # bytes; 384 for one chip, 768 for four
SIDE_LIMIT = 1 << 14  # px
HDR_LIMIT = 1 << 20
COUNTS = {"U01": ">u1", "U08": ">u1", "U16": ">u2", "U32": ">u4", "U64": ">u8"}
RAW_BITS = {1: 1, 6: 8, 12: 16, 24: 16}  # stored per pixel and counter read-out
WORD_BITS = 64  # of raw rows: the pixels of each word lie in the opposite order


@dataclass(frozen=True)
class Header:
    """The first frame's header; `size` is (y, x) as it says, which for raw data is the read-out, not the image."""

    length: int
    chips: int
    size: tuple[int, int]
    depth: str
    layout: str
    counter_bits: int | None


@dataclass(frozen=True)
class RawFrames:
    """Frames (N, y, x) of the chips' raw bits: words of pixels in the opposite order, four chips side by side."""

    path: Path
    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    header: Header
    bits: int
    attributes: Attributes
    key: str | None = None
    chunks: tuple[int, ...] | None = field(default=None)

    def read_region(self, region: tuple[slice, ...]) -> NDArray[Any]:
        """The region, each frame decoded whole."""
        start, stop = region[0].start, region[0].stop
        payload = raw_bytes(self.header, self.bits)
        block = np.empty((stop - start, payload), np.uint8)
        with open_binary(self.path) as stream:
            for number, target in enumerate(block, start):
                place = number * (self.header.length + payload) + self.header.length
                fill(stream, self.path, place, target.data)
        images = decode(block, self.header, self.bits)
        return np.ascontiguousarray(images[:, region[1], region[2]])


def open_array(path: Path, options: ReaderOptions) -> StoredArray:
    """All frames (N, y, x); the scan's shape comes from the .hdr beside the file where there is one."""
    size = file_size(path)
    with open_binary(path) as stream:
        header = _header(path, stream.read(HEADER_LIMIT), size)
    raw = header.depth == "R64"
    bits = header.counter_bits if raw else None
    if raw and (bits not in RAW_BITS or header.chips not in (1, 4) or (header.chips == 4 and header.layout != "2x2")):
        raise DataError(
            f"{path}: raw frames of {header.chips} chips ({header.layout}), counter depth {bits}: one chip or 2x2 of "
            "1, 6, 12 or 24 bits are read; save processed counts (U08, U16 or U32) in Merlin's software"
        )
    payload = raw_bytes(header, bits) if bits else math.prod(header.size) * np.dtype(COUNTS[header.depth]).itemsize
    record = header.length + payload
    count, rest = divmod(size, record)
    if rest or not count:
        raise DataError(
            f"{path}: truncated: {size} of {(count + 1) * record} bytes; {count} frames of {header.size} "
            f"{header.depth} with headers of {header.length} bytes and {rest} bytes more ({human(size)}); "
            f"{count} frames would make scans of {likely_shapes(count) if count else 'nothing'}"
        )
    attributes = _attributes(path, count, record, options)
    if bits:
        shape = image_shape(path, header, bits)
        return RawFrames(path, (count, *shape), _raw_type(bits), header, bits, attributes)
    dtype = np.dtype(COUNTS[header.depth])
    strides = (record, header.size[1] * dtype.itemsize, dtype.itemsize)
    return StridedFile(path, (count, *header.size), dtype, header.length, strides, attributes=attributes)


def _header(path: Path, start: bytes, size: int) -> Header:
    text = start.decode("latin-1")
    fields = text[:100].split(",")
    if not text.startswith("MQ1,"):
        raise DataError(f"{path}: not a Merlin file ({size} bytes, begins with {start[:8]!r} instead of b'MQ1,')")
    numbers = [int(value) if re.fullmatch(r"\d{1,6}", value) else 0 for value in fields[2:6]]
    if len(fields) < 8 or not all(numbers):
        raise DataError(f"{path}: truncated or damaged: {size} bytes, the frame's header is {text[:60]!r}")
    length, chips, width, height = numbers
    depth, layout = fields[6].strip(), fields[7].strip().removesuffix("G")
    if not 60 <= length <= HEADER_LIMIT or max(width, height) > SIDE_LIMIT or depth not in (*COUNTS, "R64"):
        raise DataError(
            f"{path}: the frame's header declares {length} bytes of itself and {height} x {width} px of {depth!r}: "
            f"refused as damaged ({human(size)})"
        )
    extended = re.search(r"MQ1A,[^,\0]*,[^,\0]*,(\d{1,2})\b", text[:length])
    return Header(length, chips, (height, width), depth, layout, int(extended[1]) if extended else None)


def raw_bytes(header: Header, bits: int) -> int:
    """Bytes of one frame's read-out; of 24 bits the header's width counts both halves."""
    return math.prod(header.size) * RAW_BITS[bits] // 8


def image_shape(path: Path, header: Header, bits: int) -> tuple[int, int]:
    """The image (y, x) of a raw read-out; DataError where it is not made of whole words or square chips."""
    height, width = header.size
    pieces = (2 if bits == 24 else 1) * header.chips
    pixels = WORD_BITS // RAW_BITS[bits]
    if width % (pieces * pixels) or (header.chips == 4 and width != 4 * height * (2 if bits == 24 else 1)):
        raise DataError(f"{path}: raw frames of {height} x {width} px on {header.chips} chips: damaged, or not known")
    width //= pieces
    return (height, width) if header.chips == 1 else (2 * height, 2 * width)


def _raw_type(bits: int) -> np.dtype[Any]:
    return np.dtype(np.uint8 if bits <= 6 else np.uint16 if bits == 12 else np.uint32)


def decode(block: NDArray[np.uint8], header: Header, bits: int) -> NDArray[Any]:
    """Images [n, y, x] of raw read-outs [n, bytes]."""
    count, height = len(block), header.size[0]
    if bits == 24:  # two read-outs of 12 bits, the more significant one first
        high, low = np.split(block, 2, axis=1)
        halves = [_ordered(half, 12).astype(np.uint32) for half in (high, low)]
        pixels = halves[0] << np.uint32(12) | halves[1]
    else:
        pixels = _ordered(block, bits)
    rows: NDArray[Any] = pixels.reshape(count, height, header.chips, -1)
    if header.chips == 1:
        return rows[:, :, 0]
    # Each row of the read-out is one of chip 4, 3, 2, 1; chips 3 and 4 stand upside down below 1 and 2.
    upper = np.concatenate([rows[:, :, 3], rows[:, :, 2]], axis=2)
    lower = np.concatenate([rows[:, ::-1, 1, ::-1], rows[:, ::-1, 0, ::-1]], axis=2)
    return np.concatenate([upper, lower], axis=1)


def _ordered(block: NDArray[np.uint8], bits: int) -> NDArray[Any]:
    """Pixels [n, pixels] with those of each 64-bit word in their right order."""
    words = np.ascontiguousarray(block).reshape(len(block), -1, WORD_BITS // 8)
    pixels: NDArray[Any] = words[:, :, ::-1]
    if bits == 1:
        pixels = np.unpackbits(pixels, axis=2, bitorder="little")
    elif bits > 6:
        pixels = words.view(">u2")[:, :, ::-1].astype(np.uint16)
    return pixels.reshape(len(block), -1)


def _attributes(path: Path, count: int, record: int, options: ReaderOptions) -> Attributes:
    """The scan's shape by the .hdr; DataError where that promises more frames and data.scan_shape says nothing."""
    fields = _hdr_fields(path.with_suffix(".hdr"))
    frames = fields.get("Frames in Acquisition (Number)", 0)
    fast = fields.get("ScanX") or fields.get("Frames per Trigger (Number)", 0)
    slow = fields.get("ScanY") or (frames // fast if fast > 1 and frames % fast == 0 else 0)
    expected = max(frames, slow * fast)
    if expected > count and options.scan_shape is None:
        raise DataError(
            f"{path}: truncated: {count * record} of {expected * record} bytes; {expected} frames by its .hdr, {count} "
            "in the file; if the acquisition was stopped or goes on in other files, data.scan_shape says what is here: "
            f"{likely_shapes(count)}"
        )
    return Attributes({"scan_shape": (float(slow), float(fast))} if slow * fast == count else {})


def _hdr_fields(path: Path) -> dict[str, int]:
    """The whole numbers of a .hdr, by name; empty where there is none."""
    if not path.is_file():
        return {}
    with open_binary(path) as stream:
        text = stream.read(HDR_LIMIT).decode("latin-1")
    if not text.startswith("HDR"):
        log.warning("%s does not begin with HDR: not used", path)
        return {}
    found = re.findall(r"^([^\t\r\n]{1,100}?):?\t\s*(\d{1,9})\s*$", text, re.MULTILINE)
    return {name.strip(): int(value) for name, value in found}
