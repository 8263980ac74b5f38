"""MATLAB 5 to 7.2: arrays are found in structs and cells too and read lazily; 7.3 is HDF5.

Layout: "MAT-File Format", The MathWorks, R2024, chapter 1 (level 5).
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.data.files import ALWAYS_ALLOWED_BYTES, StridedFile, c_strides, file_size, open_binary, read_bytes
from ptycupy.data.packed import Deflated, PackedArray
from ptycupy.data.readers import ReaderOptions
from ptycupy.data.readers.choice import ArrayInfo, choose
from ptycupy.data.stored import Attributes, StoredArray
from ptycupy.errors import DataError

HEADER_BYTES = 128
DEPTH_LIMIT = 16  # of structs in structs
ELEMENT_LIMIT = 20_000  # arrays, structs and cells that are looked at
RANK_LIMIT = 32
NAME_LIMIT = 1 << 12
HEAD_BYTES = 1 << 14  # of a compressed variable, enough for type, shape and name

STORED_TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
MATRIX, COMPRESSED = 14, 15
CELL, STRUCT = 1, 2
NUMBER_CLASSES = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}
COMPLEX_FLAG, LOGICAL_FLAG = 0x08, 0x02


@dataclass(frozen=True)
class MatArray:
    """An array of MATLAB's shape; stored types may be narrower than the array's own, complex parts lie apart."""

    real: StoredArray
    imaginary: StoredArray | None
    dtype: np.dtype[Any]
    attributes: Attributes = field(default_factory=Attributes)

    @property
    def path(self) -> Path:
        return self.real.path

    @property
    def key(self) -> str | None:
        return self.real.key

    @property
    def shape(self) -> tuple[int, ...]:
        return self.real.shape

    @property
    def chunks(self) -> tuple[int, ...] | None:
        return None

    def read_region(self, region: tuple[slice, ...]) -> NDArray[Any]:
        """The region in the array's own type."""
        values = self.real.read_region(region).astype(self.dtype)
        if self.imaginary is not None:
            values.imag = self.imaginary.read_region(region)
        return values


@dataclass(frozen=True)
class Content:
    """Bytes that elements lie in: the file, or a compressed variable whose first bytes may be all that is unpacked."""

    path: Path
    size: int
    order: str  # "<" or ">"
    head: bytes | bytearray | None = None
    part: Deflated | None = None

    def take(self, offset: int, count: int) -> bytes:
        """Some bytes; DataError where there are not so many."""
        self.require(offset + count, "an element")
        if self.head is None:
            with open_binary(self.path) as stream:
                return read_bytes(stream, self.path, offset, count)
        if offset + count > len(self.head):
            raise DataError(f"{self.path}: damaged: the header of a compressed variable is longer than {HEAD_BYTES}")
        return bytes(self.head[offset : offset + count])

    def require(self, end: int, what: str) -> None:
        """DataError where the content ends before `end`."""
        if end > self.size:
            kind = "bytes" if self.part is None else "bytes of a compressed variable"
            raise DataError(f"{self.path}: truncated: {self.size} of {end} {kind}, which {what} needs")

    def integers(self, code: str, offset: int, count: int) -> tuple[int, ...]:
        """Integers of the type `code` of the struct module."""
        return struct.unpack(f"{self.order}{count}{code}", self.take(offset, count * struct.calcsize(code)))

    def array(self, key: str, shape: tuple[int, ...], dtype: np.dtype[Any], offset: int) -> StoredArray:
        """The array at `offset`, first axis fastest."""
        strides = c_strides(shape[::-1], dtype.itemsize)[::-1]
        if self.part is None:
            return StridedFile(self.path, shape, dtype, offset, strides, key)
        return PackedArray(self.part, shape, dtype, offset, strides, key)


@dataclass(frozen=True)
class Element:
    """One tagged element: its type and where its bytes lie."""

    kind: int
    begin: int
    length: int
    next: int  # where the element after it begins


@dataclass(frozen=True)
class Variable(ArrayInfo):
    """An array of numbers and where its parts are tagged; `content` may hold a compressed variable's head only."""

    content: Content
    parts_at: int
    end: int
    is_complex: bool


def open_array(path: Path, options: ReaderOptions) -> MatArray:
    """The variable called `key`, fields of structs after dots or slashes, cells by number from 0."""
    key = None if options.key is None else options.key.replace(".", "/")
    info = choose(path, list_arrays(path), key, options.purpose)
    content, at, parts = info.content, info.parts_at, []
    if content.part is not None and info.is_complex:  # the second part begins behind the first
        content = replace(content, head=content.part.unpacked())
    for name in ("real", "imaginary")[: 2 if info.is_complex else 1]:
        element = _element(content, at, info.end)
        if element.kind not in STORED_TYPES:
            raise DataError(f"{path}: {info}: its {name} part has the unknown type {element.kind}: damaged")
        dtype = np.dtype(content.order + STORED_TYPES[element.kind])
        if element.length != math.prod(info.shape) * dtype.itemsize:
            raise DataError(f"{path}: {info}: its {name} part has {element.length} bytes of {dtype}: damaged")
        parts.append(content.array(info.key, info.shape, dtype, element.begin))
        at = element.next
    assert info.dtype is not None
    return MatArray(parts[0], parts[1] if info.is_complex else None, info.dtype)


def list_arrays(path: Path) -> list[Variable]:
    """Every array of numbers, those inside of structs and cells too."""
    content = _opened(path)
    found: list[Variable] = []
    at = HEADER_BYTES
    while at + 8 <= content.size and len(found) < ELEMENT_LIMIT:
        element = _element(content, at, content.size, padded=False)
        if element.kind == COMPRESSED:
            found += _compressed(content, element)
        elif element.kind == MATRIX:
            found += _walk(content, element, "", 0)
        at = element.next
    return found


def _opened(path: Path) -> Content:
    size = file_size(path)
    with open_binary(path) as stream:
        start = stream.read(HEADER_BYTES)
    order = {b"IM": "<", b"MI": ">"}.get(start[126:128])
    if len(start) < HEADER_BYTES and start.startswith(b"MATLAB"):
        raise DataError(f"{path}: truncated: {size} of {HEADER_BYTES} bytes or more")
    if order is None or struct.unpack(f"{order}H", start[124:126])[0] != 0x0100:
        raise DataError(
            f"{path}: not a MATLAB 5 file ({size} bytes, begins with {start[:16]!r}); "
            "save it in MATLAB with save(..., '-v7.3') or '-v7'"
        )
    return Content(path, size, order)


def _element(content: Content, at: int, end: int, padded: bool = True) -> Element:
    """The element at `at`; DataError where it does not end before `end`. Compressed ones are not padded."""
    content.require(at + 8, "an element")
    kind, length = content.integers("I", at, 2)
    if kind >> 16:  # the small form: both in four bytes, up to four bytes of content behind them
        kind, length, begin, following = kind & 0xFFFF, kind >> 16, at + 4, at + 8
        if length > 4:
            raise DataError(f"{content.path}: a small element of {length} bytes at byte {at}: damaged")
    else:
        begin, following = at + 8, at + 8 + (length + 7) // 8 * 8 if padded and kind != COMPRESSED else at + 8 + length
    content.require(begin + length, f"the element at byte {at}")
    if begin + length > end:
        raise DataError(f"{content.path}: the element at byte {at} is longer than what it lies in: damaged")
    return Element(kind, begin, length, following)


def _compressed(content: Content, element: Element) -> Iterator[Variable]:
    """The arrays of one compressed variable; structs and cells are unpacked to look into them."""
    probe = Deflated(content.path, "a compressed variable", element.begin, element.length, 8)
    tag = probe.head(8)
    if len(tag) < 8:
        raise DataError(f"{content.path}: the compressed variable at byte {element.begin} is empty: damaged")
    kind, length = struct.unpack(f"{content.order}II", tag)
    if kind != MATRIX:
        return
    what = f"the compressed variable at byte {element.begin}"
    part = Deflated(content.path, what, element.begin, element.length, 8 + length)
    inner = Content(content.path, part.size, content.order, part.head(HEAD_BYTES), part)
    flags = inner.integers("I", 16, 1)[0]
    if flags & 0xFF in (CELL, STRUCT):
        if part.size > ALWAYS_ALLOWED_BYTES:
            raise DataError(f"{content.path}: {what} is a struct of {part.size} bytes; save the array on its own")
        inner = replace(inner, head=part.unpacked())
    yield from _walk(inner, Element(MATRIX, 8, length, 8 + length), "", 0)


def _walk(content: Content, matrix: Element, prefix: str, depth: int) -> Iterator[Variable]:
    """The arrays of a matrix element, depth first; anonymous members are named by what they lie in."""
    end = matrix.begin + matrix.length
    if not matrix.length or depth > DEPTH_LIMIT:
        return
    flags = _element(content, matrix.begin, end)
    if flags.kind != 6 or flags.length != 8:
        raise DataError(f"{content.path}: the array at byte {matrix.begin} has no flags: damaged")
    bits = content.integers("I", flags.begin, 1)[0]
    kind, marks = bits & 0xFF, bits >> 8
    if kind == 17:  # an object without shape or parts that are documented
        return
    dims = _element(content, flags.next, end)
    if dims.kind != 5 or dims.length % 4 or not 4 <= dims.length <= 4 * RANK_LIMIT:
        raise DataError(f"{content.path}: the array at byte {matrix.begin} has no shape: damaged")
    shape = content.integers("i", dims.begin, dims.length // 4)
    name = _element(content, dims.next, end)
    if min(shape) < 0 or name.length > NAME_LIMIT:
        raise DataError(f"{content.path}: the array at byte {matrix.begin} has shape {shape}: damaged")
    key = prefix or content.take(name.begin, name.length).decode("latin-1").strip("\0 ")
    if kind in NUMBER_CLASSES:
        dtype = np.dtype(np.bool_ if marks & LOGICAL_FLAG else NUMBER_CLASSES[kind])
        if marks & COMPLEX_FLAG:
            dtype = np.dtype(np.complex64 if dtype == np.float32 else np.complex128)
        yield Variable(key, shape, dtype, content, name.next, end, bool(marks & COMPLEX_FLAG))
    elif kind == CELL:
        yield from _members(content, name.next, end, [f"{key}/{i}" for i in _numbers(math.prod(shape))], depth)
    elif kind == STRUCT:
        yield from _members(*_fields(content, name.next, end, key, math.prod(shape)), depth)


def _numbers(count: int) -> range:
    return range(min(count, ELEMENT_LIMIT))


def _fields(content: Content, at: int, end: int, key: str, count: int) -> tuple[Content, int, int, list[str]]:
    """Where a struct's members begin and their keys; of an array of structs each is numbered from 0."""
    width = _element(content, at, end)
    if width.length != 4:
        raise DataError(f"{content.path}: {key}: a struct without the length of its names: damaged")
    (length,) = content.integers("i", width.begin, 1)
    names = _element(content, width.next, end)
    if length < 1 or names.length % length or names.length > NAME_LIMIT * 64:
        raise DataError(f"{content.path}: {key}: {names.length} bytes of names of {length} each: damaged")
    text = content.take(names.begin, names.length).decode("latin-1")
    fields = [text[i : i + length].split("\0")[0] for i in range(0, len(text), length)]
    keys = [f"{key}/{name}" if count == 1 else f"{key}/{i}/{name}" for i in _numbers(count) for name in fields]
    return content, names.next, end, keys[:ELEMENT_LIMIT]


def _members(content: Content, at: int, end: int, keys: list[str], depth: int) -> Iterator[Variable]:
    for key in keys:
        if at + 8 > end:
            return
        member = _element(content, at, end)
        if member.kind != MATRIX:
            raise DataError(f"{content.path}: {key} is no array but an element of type {member.kind}: damaged")
        yield from _walk(content, member, key, depth + 1)
        at = member.next
