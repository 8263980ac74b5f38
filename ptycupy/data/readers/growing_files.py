"""Files that are still being written: how many patterns their structure holds now, and those that are there."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import h5py
import numpy as np
from numpy.typing import NDArray

from ptycupy.data.files import StridedFile, file_size, open_binary, read_bytes
from ptycupy.data.readers import ReaderOptions, detect
from ptycupy.data.readers.empad import layout
from ptycupy.data.readers.hdf5 import attributes_of
from ptycupy.data.readers.npy import read_header
from ptycupy.data.stored import Attributes
from ptycupy.errors import ConfigError, DataError

FORMATS = ("hdf5", "npy", "empad")


class Frames(Protocol):
    """Patterns that somebody appends."""

    @property
    def key(self) -> str | None: ...
    @property
    def detector_shape(self) -> tuple[int, int]: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    @property
    def attributes(self) -> Attributes: ...

    def count(self) -> int:
        """How many the file has room for now, whether they are written or not; the last may be half there."""
        ...

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Those [stop - start, ky, kx], below `count`."""
        ...


@dataclass(frozen=True)
class RecordFrames:
    """A plain file of equal records that grows by bytes."""

    path: Path
    detector_shape: tuple[int, int]
    dtype: np.dtype[Any]
    offset: int  # bytes before the first
    record: int  # bytes from one to the next
    key: str | None = None
    attributes: Attributes = Attributes()

    def count(self) -> int:
        frame = math.prod(self.detector_shape) * self.dtype.itemsize
        return max(0, file_size(self.path) - self.offset - frame + self.record) // self.record

    def read(self, start: int, stop: int) -> NDArray[Any]:
        ky, kx = self.detector_shape
        strides = (self.record, kx * self.dtype.itemsize, self.dtype.itemsize)
        array = StridedFile(self.path, (stop, ky, kx), self.dtype, self.offset, strides)
        return array.read_region((slice(start, stop), slice(0, ky), slice(0, kx)))


@dataclass(frozen=True)
class Hdf5Frames:
    """A dataset [n, ky, kx] or [slow, fast, ky, kx] that grows along its first axis, or is filled.

    It is opened for each look, as single-writer multiple-reader where the file is written so."""

    path: Path
    key: str
    detector_shape: tuple[int, int]
    dtype: np.dtype[Any]
    attributes: Attributes

    def count(self) -> int:
        with _opened(self.path) as file:
            return math.prod(self._dataset(file).shape[:-2])

    def read(self, start: int, stop: int) -> NDArray[Any]:
        with _opened(self.path) as file:
            dataset = self._dataset(file)
            if dataset.ndim == 3:
                values: NDArray[Any] = dataset[start:stop]
                return values
            fast = dataset.shape[1]
            first = start // fast
            rows: NDArray[Any] = dataset[first : -(-stop // fast)]
            return rows.reshape(-1, *self.detector_shape)[start - first * fast : stop - first * fast]

    def _dataset(self, file: Any) -> Any:
        dataset = file[self.key]
        if dataset.shape[-2:] != self.detector_shape or dataset.dtype != self.dtype:
            raise DataError(f"{self.path}: {self.key} is {dataset.shape} {dataset.dtype} now: it was replaced")
        return dataset


def open_growing(path: Path, options: ReaderOptions, name: str) -> Frames:
    """The frames of a file of which at least the header is there.

    Raises DataError where it is not, or is not one of a format that grows, ConfigError for a missing data.key.
    """
    found = detect(path, name).name
    if found not in FORMATS:
        raise DataError(f"{path}: a file of format {found} cannot be followed; these can: {', '.join(FORMATS)}")
    if found == "hdf5":
        return _hdf5(path, options)
    if found == "npy":
        size = file_size(path)
        with open_binary(path) as stream:
            header = read_header(str(path), size, lambda offset, count: read_bytes(stream, path, offset, count))
        if len(header.shape) not in (3, 4) or header.strides[-1] != header.dtype.itemsize:
            raise DataError(f"{path}: an array {header.shape} to follow must be (N, ky, kx) or 4-D, in C order")
        detector = header.shape[-2], header.shape[-1]
        return RecordFrames(path, detector, header.dtype, header.length, math.prod(detector) * header.dtype.itemsize)
    detector, record, attributes = layout(path, options)
    return RecordFrames(path, detector, np.dtype("<f4"), options.offset_bytes, record, attributes=attributes)


def _hdf5(path: Path, options: ReaderOptions) -> Frames:
    if options.key is None:
        raise ConfigError(f"data.key: required to follow {path}: the dataset that grows, e.g. `key: dp`")
    with _opened(path) as file:
        dataset = file.get(options.key)
        if not isinstance(dataset, h5py.Dataset) or dataset.ndim not in (3, 4):
            raise DataError(f"{path}: {options.key}: no dataset (N, ky, kx) or (slow, fast, ky, kx) is there (yet)")
        shape = (int(dataset.shape[-2]), int(dataset.shape[-1]))
        return Hdf5Frames(path, options.key, shape, dataset.dtype, attributes_of(dataset))


class _opened:
    """The file for a moment; DataError while its writer does not let us, or has not yet written enough of it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> Any:
        try:
            self.file = h5py.File(self.path, "r", libver="latest", swmr=True, locking="best-effort")
        except (OSError, ValueError):  # older files know no single writer with many readers
            try:
                self.file = h5py.File(self.path, "r", locking="best-effort")
            except OSError as error:
                raise DataError(f"{self.path}: cannot be opened now ({' '.join(str(error).split())})") from error
        return self.file

    def __exit__(self, *error: object) -> None:
        self.file.close()
