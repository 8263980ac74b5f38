"""HDF5: datasets are found, described and read in regions; filters, links and damage are named where they are met."""

from __future__ import annotations

import difflib
import itertools
import math
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ptycupy.data.files import file_size, human, open_binary, require_bytes, require_plausible
from ptycupy.data.readers import ReaderOptions
from ptycupy.data.stored import Attributes
from ptycupy.errors import DataError

OBJECT_LIMIT = 10_000  # groups and datasets that discovery looks at
CHUNK_CACHE_BYTES = 1 << 26
ATTRIBUTE_LIMIT = 64  # longest list of numbers that is taken as an attribute


@dataclass(frozen=True)
class DatasetInfo:
    """What a file says about one dataset without reading it."""

    key: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any] | None  # None: a type that NumPy does not know
    chunks: tuple[int, ...] | None
    compression: str
    size_bytes: int

    @property
    def is_numeric(self) -> bool:
        return self.dtype is not None and self.dtype.kind in "biufc"

    def __str__(self) -> str:
        return f"{self.key} {self.shape} {'unknown type' if self.dtype is None else self.dtype}"


class Hdf5Array:
    """One dataset, opened when it is first read and once in each process that it is sent to."""

    def __init__(self, path: Path, info: DatasetInfo, attributes: Attributes) -> None:
        self.path, self.key, self.shape, self.chunks = path, info.key, info.shape, info.chunks
        self.dtype = np.dtype(info.dtype)
        self.attributes = attributes
        self._file: Any = None
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_file": None, "_lock": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock = threading.Lock()

    def read_region(self, region: tuple[slice, ...]) -> NDArray[Any]:
        """The region; DataError naming dataset and chunk where the stored bytes are damaged or gone."""
        values = np.empty([part.stop - part.start for part in region], self.dtype)
        with self._lock, _translated(self.path, self.key):
            if self._file is None:
                self._file = _open(self.path)
            dataset = self._file[self.key]
            if dataset.shape != self.shape or dataset.dtype != self.dtype:
                raise DataError(f"{self.path}: {self.key} is {dataset.shape} {dataset.dtype} now, not {self.shape}")
            try:
                dataset.read_direct(values, region)
            except (OSError, RuntimeError) as error:
                raise DataError(self._damage(dataset, region, error)) from error
        return values

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


def open_array(path: Path, options: ReaderOptions) -> Hdf5Array:
    """The dataset under `key`, or the only one there is: 3-D or 4-D real numbers for patterns, any numbers else."""
    with _translated(path, options.key), _open(path) as file:
        if options.key is None:
            info = _only_candidate(path, _find(file), options.purpose)
        else:
            info = _describe(_dataset(path, file, options.key))
        if not info.is_numeric:
            raise DataError(f"{path}: {info}: not an array of numbers; integers or floats are needed")
        dataset = file[info.key]
        _require_storage(path, dataset, info)
        missing = missing_filter(dataset)
        if missing:
            raise DataError(f"{path}: {info.key}: {missing}")
        return Hdf5Array(path, info, _attributes(dataset))


def list_datasets(path: Path) -> list[DatasetInfo]:
    """Every dataset that can be reached, links followed once, broken ones skipped."""
    with _translated(path), _open(path) as file:
        return _find(file)


def read_attributes(path: Path, key: str | None) -> Attributes:
    """The attributes of the dataset or group under `key` (the file's own for None), those of its parents below them."""
    with _translated(path, key), _open(path) as file:
        if key is not None and key not in file:
            raise _unknown_key(path, file, key)
        return _attributes(file if key is None else file[key])


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


# --- opening --------------------------------------------------------------------------------------------------
def _open(path: Path) -> Any:
    with open_binary(path) as stream:  # for the operating system's own errors, which HDF5 words badly
        start = stream.read(8)
    try:
        return h5py.File(path, "r", rdcc_nbytes=CHUNK_CACHE_BYTES, locking="best-effort")
    except OSError as error:
        size = file_size(path)
        truncated = re.search(r"truncated file: eof = (\d+).*stored_eof = (\d+)", str(error))
        if truncated:
            require_bytes(path, "the HDF5 superblock", int(truncated[2]), int(truncated[1]))
        if "signature not found" in str(error) or size == 0:
            raise DataError(f"{path}: not an HDF5 file ({size} bytes, begins with {start!r})") from error
        raise DataError(f"{path}: cannot be opened as HDF5 ({_reason(error)}; {size} bytes)") from error


@contextmanager
def _translated(path: Path, key: str | None = None) -> Iterator[None]:
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


# --- discovery ------------------------------------------------------------------------------------------------
def _find(file: Any) -> list[DatasetInfo]:
    """All datasets, each once, in the order of their names; a group that contains itself is entered once."""
    found: list[DatasetInfo] = []
    seen: set[tuple[int, Any]] = set()
    pending = [("", file["/"])]
    while pending and len(seen) < OBJECT_LIMIT:
        prefix, group = pending.pop()
        groups = []
        for name in sorted(group.keys()):
            try:
                child = group[name]
            except (KeyError, OSError, RuntimeError):
                continue  # a dangling soft or external link
            identity = h5py.h5o.get_info(child.id)
            if (identity.fileno, identity.addr) in seen:
                continue
            seen.add((identity.fileno, identity.addr))
            if isinstance(child, h5py.Dataset):
                found.append(_describe(child, f"{prefix}/{name}"))
            elif isinstance(child, h5py.Group):
                groups.append((f"{prefix}/{name}", child))
        pending.extend(reversed(groups))
    return found


def _describe(dataset: Any, key: str | None = None) -> DatasetInfo:
    try:
        dtype = dataset.dtype
    except (TypeError, ValueError):
        dtype = None
    properties = dataset.id.get_create_plist()
    names = [properties.get_filter(number)[3].decode("utf-8", "replace") for number in range(properties.get_nfilters())]
    return DatasetInfo(
        (key or dataset.name).lstrip("/"),
        dataset.shape or (),
        dtype,
        dataset.chunks,
        ", ".join(names),
        dataset.id.get_storage_size(),
    )


def _only_candidate(path: Path, datasets: list[DatasetInfo], purpose: str) -> DatasetInfo:
    if purpose == "patterns":
        fits = [info for info in datasets if len(info.shape) in (3, 4) and info.is_numeric]
        real = [info for info in fits if info.dtype is not None and info.dtype.kind != "c"]
        fits, what = real or fits, "3-D or 4-D dataset of numbers"
    else:
        fits, what = [info for info in datasets if info.is_numeric and info.shape], "dataset of numbers"
    if len(fits) == 1:
        return fits[0]
    problem = f"{len(fits)} datasets could be meant, name one with `key`" if fits else f"no {what}; name one with `key`"
    keys = " (data.key)" if purpose == "patterns" else " beside the file's `path`"
    raise DataError(f"{path}: {problem}{keys}. {_listing(fits or datasets)}")


def _listing(datasets: list[DatasetInfo]) -> str:
    lines = "".join(f"\n  {info}" for info in datasets[:30])
    more = f"\n  and {len(datasets) - 30} more" if len(datasets) > 30 else ""
    return f"It holds:{lines}{more}" if datasets else "It holds no dataset at all."


def _dataset(path: Path, file: Any, key: str) -> Any:
    try:
        entry = file[key]
    except (KeyError, OSError) as error:
        raise _unknown_key(path, file, key) from error
    if not isinstance(entry, h5py.Dataset):
        inside = [info for info in _find(file) if info.key.startswith(f"{key.strip('/')}/")]
        raise DataError(f"{path}: {key} is a group, a dataset is needed. {_listing(inside)}")
    return entry


def _unknown_key(path: Path, file: Any, key: str) -> DataError:
    try:
        link = file.get(key, getlink=True)
    except (KeyError, OSError):
        link = None
    if isinstance(link, (h5py.SoftLink, h5py.ExternalLink)):
        where = f" in {link.filename}" if isinstance(link, h5py.ExternalLink) else ""
        return DataError(f"{path}: {key} is a link to {link.path}{where}, which is missing")
    datasets = _find(file)
    near = difflib.get_close_matches(key, [info.key for info in datasets], n=1)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    return DataError(f"{path}: no dataset {key!r}{hint} {_listing(datasets)}")


# --- checks and attributes ------------------------------------------------------------------------------------
def _require_storage(path: Path, dataset: Any, info: DatasetInfo) -> None:
    """Sparse and compressed datasets may be larger than their storage, but not by any factor and any size."""
    if info.dtype is None:
        raise DataError(f"{path}: {info}: a type that is not read")
    declared = math.prod(info.shape) * info.dtype.itemsize
    if not dataset.is_virtual and dataset.external is None:
        require_plausible(path, f"{info} ({human(declared)})", declared, info.size_bytes)
    offset = dataset.id.get_offset()
    if offset is not None and info.chunks is None and dataset.external is None:
        require_bytes(path, str(info), offset + declared, file_size(path))


def _attributes(entry: Any) -> Attributes:
    """Numbers of an object and of the groups above it, the nearest first.

    Texts are left alone: nothing here needs them, and HDF5 2.0 can loop for ever in a damaged heap of them.
    """
    values: dict[str, float | tuple[float, ...]] = {}
    while True:
        for name in entry.attrs:
            attribute = entry.attrs.get_id(name)
            if attribute.get_type().get_class() not in (h5py.h5t.INTEGER, h5py.h5t.FLOAT):
                continue
            shape = attribute.shape
            if shape is not None and math.prod(shape) <= ATTRIBUTE_LIMIT:
                numbers = np.asarray(entry.attrs[name], np.float64)
                values.setdefault(name, tuple(numbers.ravel().tolist()) if shape else float(numbers))
        if entry.name in ("/", None):
            return Attributes(values)
        entry = entry.parent
