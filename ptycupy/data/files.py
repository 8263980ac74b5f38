"""Files as the readers see them: found, measured and read without trusting what a header claims."""

from __future__ import annotations

import difflib
import itertools
import math
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ptycupy.data.stored import Attributes
from ptycupy.errors import DataError

# No lossless filter in use stores a byte of ordinary data in less than a thousandth of a byte; zeros may do better.
PLAUSIBLE_COMPRESSION = 100_000
ALWAYS_ALLOWED_BYTES = 1 << 26
STORE_MARKS = (".zarray", ".zgroup", "zarr.json")  # what makes a folder a zarr store


def find_file(path: str | os.PathLike[str]) -> Path:
    """The absolute path of an existing file or zarr folder; else DataError with the nearest names of its folder."""
    absolute = Path(os.path.abspath(os.path.expanduser(path)))
    try:
        if absolute.is_file():
            return absolute
        if absolute.is_dir():
            if any((absolute / mark).is_file() for mark in STORE_MARKS):
                return absolute
            raise DataError(f"{absolute}: is a folder, a data file is needed{_names_in(absolute, '')}")
        folder = absolute.parent
        while not folder.is_dir() and folder != folder.parent:
            folder = folder.parent
    except (OSError, ValueError) as error:
        raise DataError(f"{absolute}: cannot be opened ({error})") from error
    missing = absolute.relative_to(folder).parts[0]
    raise DataError(f"{absolute}: no such file{_names_in(folder, missing)}")


def _names_in(folder: Path, wanted: str) -> str:
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return f"; the folder {folder} cannot be listed"
    if not names:
        return f"; the folder {folder} is empty"
    nearest = difflib.get_close_matches(wanted, names, n=5, cutoff=0.5) or names[:5]
    return f"; {folder} holds {', '.join(nearest)}{' and more' if len(names) > len(nearest) else ''}"


@contextmanager
def open_binary(path: Path) -> Iterator[BinaryIO]:
    """The file open for reading, unbuffered; whatever the operating system refuses becomes a DataError."""
    try:
        stream = open(path, "rb", buffering=0)  # noqa: SIM115  (closed below; only the opening is translated)
    except PermissionError as error:
        raise DataError(f"{path}: permission denied; reading it needs the right to (ls -l shows who has it)") from error
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file any more") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be opened ({error})") from error
    with stream:
        yield stream


def read_bytes(stream: BinaryIO, path: Path, offset: int, count: int) -> bytes:
    """Exactly `count` bytes at `offset`; DataError where the file ends before."""
    buffer = bytearray(count)
    fill(stream, path, offset, memoryview(buffer))
    return bytes(buffer)


def fill(stream: BinaryIO, path: Path, offset: int, target: memoryview) -> None:
    """Reads into all of `target`; a file that has been cut since its header was read is a DataError, no SIGBUS."""
    done = 0
    try:
        stream.seek(offset)
        while done < len(target):
            count = stream.readinto(target[done:])  # type: ignore[attr-defined]
            if not count:
                size = os.fstat(stream.fileno()).st_size
                raise DataError(
                    f"{path}: truncated: {size} of at least {offset + len(target)} bytes; it was shortened while in use"
                )
            done += count
    except OSError as error:
        raise DataError(f"{path}: reading {len(target)} bytes at {offset} failed ({error})") from error


def head(path: Path, count: int = 16) -> bytes:
    """The first bytes of a file, fewer where it is shorter."""
    with open_binary(path) as stream:
        return stream.read(count)


def file_size(path: Path) -> int:
    """Size in bytes now."""
    try:
        return path.stat().st_size
    except OSError as error:
        raise DataError(f"{path}: cannot be read any more ({error})") from error


def available_memory() -> int | None:
    """Bytes that this machine can still give, or None where the system does not say."""
    if sys.platform == "win32":
        import ctypes

        status = (ctypes.c_ulonglong * 8)()
        ctypes.cast(status, ctypes.POINTER(ctypes.c_ulong))[0] = ctypes.sizeof(status)
        return int(status[2]) if ctypes.windll.kernel32.GlobalMemoryStatusEx(status) else None
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            for line in lines:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass  # not Linux: the total below is the best there is
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return None


def human(size: float) -> str:
    """A size in bytes for people: 1.5 GiB."""
    for unit in ("bytes", "KiB", "MiB", "GiB", "TiB"):
        if size < 1024 or unit == "TiB":
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1024
    raise AssertionError


def require_bytes(path: Path, what: str, expected: int, actual: int) -> None:
    """DataError where a header declares more bytes than the file has; nothing has been allocated by then."""
    if expected > actual:
        raise DataError(
            f"{path}: truncated: {actual} of {expected} bytes; {what} needs {human(expected)}, "
            f"the file has {human(actual)}{_memory_text()}"
        )


def require_plausible(path: Path, what: str, declared: int, stored: int) -> None:
    """DataError where compressed or sparse storage of `stored` bytes claims to be impossibly much data."""
    memory = available_memory()
    if declared > ALWAYS_ALLOWED_BYTES and (
        declared > PLAUSIBLE_COMPRESSION * max(stored, 1)
        or (memory is not None and declared > memory and declared > 2000 * max(stored, 1))
    ):
        raise DataError(
            f"{path}: {what} declares {declared} bytes ({human(declared)}), but only {stored} bytes are stored"
            f" in a file of {human(file_size(path))}{_memory_text()}: refused as damaged"
        )


def require_memory(path: Path, what: str, needed: int) -> None:
    """DataError where something that must be in memory at once does not fit."""
    memory = available_memory()
    if memory is not None and needed > memory:
        raise DataError(
            f"{path}: {what} needs {needed} bytes ({human(needed)}), "
            f"the file has {human(file_size(path))}{_memory_text()}"
        )


def _memory_text() -> str:
    memory = available_memory()
    return "" if memory is None else f", this machine has {human(memory)} of memory free"


@dataclass(frozen=True)
class StridedFile:
    """An uncompressed array in a file: axes of any order, records with gaps between them."""

    path: Path
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    offset: int
    strides: tuple[int, ...]  # bytes per step of each axis
    key: str | None = None
    attributes: Attributes = field(default_factory=Attributes)
    chunks: tuple[int, ...] | None = None

    def read_region(self, region: tuple[slice, ...]) -> NDArray[Any]:
        """The region [stop - start per axis], read run by run; DataError where the file has become shorter."""
        order = sorted(range(len(self.shape)), key=lambda axis: -self.strides[axis])
        counts = [region[axis].stop - region[axis].start for axis in order]
        run, outer = self.dtype.itemsize, len(order)
        while outer and self.strides[order[outer - 1]] == run:
            outer -= 1
            run *= counts[outer]
        block = np.empty(counts, self.dtype)
        target = block.reshape(-1).view(np.uint8).data
        first = self.offset + sum(region[axis].start * self.strides[axis] for axis in order)
        with open_binary(self.path) as stream:
            for number, index in enumerate(np.ndindex(*counts[:outer])):
                position = first + sum(i * self.strides[axis] for i, axis in zip(index, order, strict=False))
                fill(stream, self.path, position, target[number * run : (number + 1) * run])
        inverse = tuple(order.index(axis) for axis in range(len(order)))
        in_shape_order: NDArray[Any] = block.transpose(inverse)
        return in_shape_order

    def read_blocks(self, leading: int, numbers: NDArray[np.int64]) -> NDArray[Any] | None:
        """Blocks [n, ...] of the trailing axes, numbered by the first `leading` ones in C order, those that touch in
        the file read together; None where a block is no single run of bytes."""
        block = self.shape[leading:]
        if not len(numbers) or self.strides[leading:] != c_strides(block, self.dtype.itemsize):
            return None
        size = math.prod(block) * self.dtype.itemsize
        places = np.unravel_index(numbers, self.shape[:leading])
        offsets = self.offset + np.asarray(places).T @ np.asarray(self.strides[:leading])
        ends = np.flatnonzero(np.diff(offsets) != size) + 1
        values = np.empty((len(numbers), *block), self.dtype)
        target = values.reshape(-1).view(np.uint8).data
        with open_binary(self.path) as stream:
            for first, last in itertools.pairwise([0, *ends.tolist(), len(numbers)]):
                fill(stream, self.path, int(offsets[first]), target[first * size : last * size])
        return values


def c_strides(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """Byte strides of a gapless array, last axis fastest."""
    strides = [itemsize]
    for length in reversed(shape[1:]):
        strides.append(strides[-1] * length)
    return tuple(reversed(strides))
