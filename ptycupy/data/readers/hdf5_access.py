"""One HDF5 dataset: opened late, read in regions; filters, truncation and damage are named where they are met."""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ptycupy.data.files import StridedFile, c_strides, file_size, open_binary, require_bytes
from ptycupy.data.stored import Attributes
from ptycupy.errors import DataError

CHUNK_CACHE_BYTES = 1 << 26


class OpenFile:
    """A file that is opened when it is first read, and once in each process that it is sent to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: Any = None
        self.lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    def __getitem__(self, key: str) -> Any:
        if self._file is None:
            self._file = open_file(self.path)
        return self._file[key]


class Hdf5Array:
    """One dataset of a file that others may share."""

    def __init__(self, file: OpenFile, dataset: Any, key: str, attributes: Attributes) -> None:
        self.path, self.key, self.shape, self.chunks = file.path, key, dataset.shape, dataset.chunks
        self.dtype = np.dtype(dataset.dtype)
        self.attributes = attributes
        self._file = file

    def read_region(self, region: tuple[slice, ...]) -> NDArray[Any]:
        """The region; DataError naming dataset and chunk where the stored bytes are damaged or gone."""
        values = np.empty([part.stop - part.start for part in region], self.dtype)
        with self._file.lock, translated(self.path, self.key):
            dataset = self._file[self.key]
            if dataset.shape != self.shape or dataset.dtype != self.dtype:
                raise DataError(f"{self.path}: {self.key} is {dataset.shape} {dataset.dtype} now, not {self.shape}")
            try:
                dataset.read_direct(values, region)
            except (OSError, RuntimeError) as error:
                raise DataError(self._damage(dataset, region, error)) from error
        return values

    def read_blocks(self, leading: int, numbers: NDArray[np.int64]) -> NDArray[Any] | None:
        """As of a plain file, where the dataset lies in one piece in this one; see data.stored.Blocks."""
        with self._file.lock, translated(self.path, self.key):
            dataset = self._file[self.key]
            offset = dataset.id.get_offset()
            here = dataset.file.filename == str(self.path) and not dataset.file.userblock_size
            if offset is None or dataset.shape != self.shape or not here or dataset.external or dataset.dtype.names:
                return None
        strides = c_strides(self.shape, self.dtype.itemsize)
        return StridedFile(self.path, self.shape, self.dtype, offset, strides).read_blocks(leading, numbers)

    def _damage(self, dataset: Any, region: tuple[slice, ...], error: Exception) -> str:
        name = f"{self.path}: {self.key}"
        missing = missing_filter(dataset)
        if missing:
            return f"{name}: {missing}"
        stored = re.search(r"eof = (\d+)", str(error))
        if stored and self.chunks is None:
            return f"{name}: truncated: {stored[1]} bytes of the file are left ({error})"
        for chunk in self._chunk_regions(region):
            try:
                dataset[chunk]
            except (OSError, RuntimeError) as cause:
                place = ", ".join(f"{part.start}:{part.stop}" for part in chunk)
                size = file_size(self.path)
                return f"{name}: chunk [{place}] is damaged or cut off ({_reason(cause)}); the file has {size} bytes"
        return f"{name}: cannot be read ({_reason(error)})"

    def _chunk_regions(self, region: tuple[slice, ...]) -> Iterator[tuple[slice, ...]]:
        axes = [
            [
                slice(max(start, 0), min(start + chunk, length))
                for start in range(part.start // chunk * chunk, part.stop, chunk)
            ]
            for part, chunk, length in zip(region, self.chunks or self.shape, self.shape, strict=True)
        ]
        return itertools.product(*axes)


def missing_filter(dataset: Any) -> str:
    """What to install for this dataset's compression, or "" where all its filters are there."""
    properties = dataset.id.get_create_plist()
    filters = [properties.get_filter(number) for number in range(properties.get_nfilters())]
    if all(h5py.h5z.filter_avail(code) for code, *_ in filters):
        return ""
    import hdf5plugin  # noqa: F401  (registers its filters)

    for code, _, _, name in filters:
        if not h5py.h5z.filter_avail(code):
            label = name.decode("utf-8", "replace") if name else "without a name"
            return (
                f"compressed by HDF5 filter {code} ({label}), which is not installed; try: pip install -U hdf5plugin, "
                "or let HDF5_PLUGIN_PATH point at the filter's library"
            )
    return ""


def open_file(path: Path) -> Any:
    with open_binary(path) as stream:  # for the operating system's own errors, which HDF5 words badly
        start = stream.read(8)
    try:
        return h5py.File(path, "r", rdcc_nbytes=CHUNK_CACHE_BYTES, locking="best-effort")
    except OSError as error:
        size = file_size(path)
        truncated = re.search(r"truncated file: eof = (\d+).*stored_eof = (\d+)", str(error))
        if truncated:
            user_block = size - int(truncated[1])  # HDF5 counts from behind it
            require_bytes(path, "the HDF5 superblock", user_block + int(truncated[2]), size)
        if "signature not found" in str(error) or size == 0:
            raise DataError(f"{path}: not an HDF5 file ({size} bytes, begins with {start!r})") from error
        raise DataError(f"{path}: cannot be opened as HDF5 ({_reason(error)}; {size} bytes)") from error


@contextmanager
def translated(path: Path, key: str | None = None) -> Iterator[None]:
    """What h5py raises on damaged files (all kinds) as one DataError that names file and dataset."""
    try:
        yield
    except DataError:
        raise
    except Exception as error:
        place = f"{path}: {key}" if key else f"{path}"
        raise DataError(f"{place}: damaged or unreadable HDF5 ({type(error).__name__}: {_reason(error)})") from error


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
