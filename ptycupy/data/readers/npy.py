"""NumPy's .npy: the header is parsed here, so that a pickle is refused by its type and never touched."""

from __future__ import annotations

import ast
import math
import struct
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ptycupy.data.files import StridedFile, c_strides, file_size, open_binary, read_bytes, require_bytes
from ptycupy.data.readers import NPY_MAGIC, ReaderOptions
from ptycupy.errors import DataError

HEADER_LIMIT = 1 << 16  # NumPy writes about 100 bytes


@dataclass(frozen=True)
class Header:
    """What a .npy header says; `length` is where the values begin."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    strides: tuple[int, ...]
    length: int

    @property
    def total(self) -> int:
        """Bytes of header and values."""
        return self.length + math.prod(self.shape) * self.dtype.itemsize


def open_array(path: Path, options: ReaderOptions) -> StridedFile:
    """The array of a .npy file of format version 1, 2 or 3, in C or Fortran order."""
    size = file_size(path)
    with open_binary(path) as stream:
        header = read_header(str(path), size, lambda offset, count: read_bytes(stream, path, offset, count))
    require_bytes(path, f"{header.shape} {header.dtype}", header.total, size)
    return StridedFile(path, header.shape, header.dtype, header.length, header.strides)


def read_header(name: str, size: int, take: Callable[[int, int], bytes]) -> Header:
    """The header of .npy content of `size` bytes, of which take(offset, count) gives some; DataError if damaged."""
    start = take(0, min(size, 12))
    if not start.startswith(NPY_MAGIC):
        pickled = start[:1] == b"\x80" or start.startswith(b"PK")
        raise DataError(
            f"{name}: {'a pickle or an archive, refused unread' if pickled else 'not a .npy file'} ({size} bytes); "
            "save one array with numpy.save(path, array, allow_pickle=False)"
        )
    if len(start) < 12 or start[6] not in (1, 2, 3):
        raise DataError(f"{name}: truncated or unknown .npy header: {size} bytes, version {start[6:8].hex()}")
    begin = 10 if start[6] == 1 else 12
    (length,) = struct.unpack("<H" if start[6] == 1 else "<I", start[8:begin])
    if length > HEADER_LIMIT:
        raise DataError(
            f"{name}: .npy header declares {length} bytes of itself in a file of {size}: refused as damaged"
        )
    if begin + length > size:
        raise DataError(f"{name}: truncated: {size} of {begin + length} bytes of its .npy header")
    descr, fortran_order, shape = _parse(name, take(begin, length))
    dtype = _dtype(name, descr)
    strides = c_strides(shape[::-1], dtype.itemsize)[::-1] if fortran_order else c_strides(shape, dtype.itemsize)
    return Header(shape, dtype, strides, begin + length)


def _parse(name: str, text: bytes) -> tuple[Any, bool, tuple[int, ...]]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a damaged literal may hold invalid escapes
            header = ast.literal_eval(text.decode("utf-8").strip())
        descr, fortran_order, shape = header["descr"], header["fortran_order"], header["shape"]
    except (ValueError, SyntaxError, TypeError, KeyError, MemoryError, RecursionError) as error:
        raise DataError(f"{name}: the .npy header is damaged ({type(error).__name__}: {error})") from error
    if (
        not isinstance(shape, tuple)
        or not all(type(length) is int and length >= 0 for length in shape)
        or not isinstance(fortran_order, bool)
    ):
        raise DataError(
            f"{name}: the .npy header declares shape {shape!r}, order {fortran_order!r}: refused as damaged"
        )
    return descr, fortran_order, shape


def _dtype(name: str, descr: Any) -> np.dtype[Any]:
    if not isinstance(descr, str):
        raise DataError(f"{name}: dtype {str(descr)[:80]} has several fields; save one plain array")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecated aliases in a damaged header
            dtype = np.dtype(descr)
    except (TypeError, ValueError, SyntaxError) as error:
        raise DataError(f"{name}: the .npy header declares dtype {descr[:80]!r}, which does not exist") from error
    if dtype.hasobject:
        raise DataError(f"{name}: an array of Python objects is a pickle and is refused unread; save plain numbers")
    if dtype.itemsize == 0:
        raise DataError(f"{name}: dtype {descr!r} has no size")
    return dtype
