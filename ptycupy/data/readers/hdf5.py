"""HDF5: datasets are found, described and read in regions; filters, links and damage are named where they are met."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ptycupy.data.files import file_size, head, human, require_bytes, require_plausible
from ptycupy.data.readers import ReaderOptions, counted_events, dectris
from ptycupy.data.readers.choice import ArrayInfo, listing, only_candidate, unknown_key
from ptycupy.data.readers.hdf5_access import Hdf5Array, OpenFile, missing_filter, open_file, translated
from ptycupy.data.readers.hdf5_layouts import calibration, energy, is_velox, preferred
from ptycupy.data.stored import Attributes, StoredArray
from ptycupy.data.wrapped import ComplexPairs, Reversed, complex_pairs
from ptycupy.errors import DataError

OBJECT_LIMIT = 10_000  # groups and datasets that discovery looks at
MATLAB_73 = b"MATLAB 7.3"
ATTRIBUTE_LIMIT = 64  # longest list of numbers that is taken as an attribute


@dataclass(frozen=True)
class DatasetInfo(ArrayInfo):
    """What a file says about one dataset without reading it."""

    chunks: tuple[int, ...] | None
    compression: str
    size_bytes: int

    @property
    def layout(self) -> str:
        layout = f"chunks {self.chunks}" if self.chunks else "contiguous"
        compression = f", {self.compression}" if self.compression else ""
        return f"{layout}{compression}, {human(self.size_bytes)} stored"


def open_array(path: Path, options: ReaderOptions) -> StoredArray:
    """The dataset under `key`, or the only one there is: 3-D or 4-D real numbers for patterns, any numbers else.

    Records of two floats are complex numbers; MATLAB's files keep MATLAB's order of axes, which HDF5 has reversed.
    """
    with translated(path, options.key), open_file(path) as file:
        parts = dectris.part_names(file)
        if parts and (options.key or dectris.GROUP).strip("/") == dectris.GROUP and options.purpose == "patterns":
            stated = {**energy(file[dectris.GROUP]), **_attributes(file[dectris.GROUP]).values}
            return dectris.join(path, file, stated, lambda dataset, key: _require_readable(path, dataset, key))
        counted = options.key is None or options.key.strip("/") in (counted_events.GROUP, counted_events.FRAMES)
        if options.purpose == "patterns" and counted and counted_events.is_counted(file):
            return counted_events.open_events(path, file)
        if options.purpose == "patterns" and is_velox(file):
            raise DataError(
                f"{path}: a file of Velox, whose patterns are stacked along the last axis, not the first; "
                "data.format: rosettasciio reads it right"
            )
        info = _candidate(path, file, options.purpose) if options.key is None else _named(path, file, options.key)
        if not info.is_numeric:
            raise DataError(f"{path}: {info}: not an array of numbers; integers or floats are needed")
        dataset = file[info.key]
        _require_readable(path, dataset, info.key)
        attributes = attributes_of(dataset)
        array: StoredArray = Hdf5Array(OpenFile(path), dataset, info.key, attributes)
        if array.dtype != info.dtype and info.dtype is not None:
            array = ComplexPairs(array, info.dtype)
        return Reversed(array) if is_matlab(file) else array


def attributes_of(dataset: Any) -> Attributes:
    """What an open dataset, the groups above it and the conventions of its file say in numbers."""
    return Attributes({**calibration(dataset), **_attributes(dataset).values})


def list_arrays(path: Path) -> list[DatasetInfo]:
    """Every dataset that can be reached, links followed once, broken ones skipped."""
    with translated(path), open_file(path) as file:
        return _find(file)


def read_attributes(path: Path, key: str | None) -> Attributes:
    """The attributes of the dataset or group under `key` (the file's own for None), those of its parents below them."""
    with translated(path, key), open_file(path) as file:
        if key is not None and key not in file:
            raise _unknown_key(path, file, key)
        return _attributes(file if key is None else file[key])


# --- discovery ------------------------------------------------------------------------------------------------
def is_matlab(file: Any) -> bool:
    """Whether an open file is MATLAB's, which lists its axes in reverse."""
    return bool(file.userblock_size) and head(Path(file.filename)).startswith(MATLAB_73)


def _find(file: Any, gone: list[str] | None = None) -> list[DatasetInfo]:
    """All datasets, each once, in the order of their names; a group that contains itself is entered once.

    Files that links lead to and that are missing are added to `gone`.

    MATLAB keeps the contents of cells under #refs#, where no name tells what they are.
    """
    matlab = is_matlab(file)
    found: list[DatasetInfo] = []
    seen: set[tuple[int, Any]] = set()
    pending = [("", file["/"])]
    while pending and len(seen) < OBJECT_LIMIT:
        prefix, group = pending.pop()
        groups = []
        for name in sorted(group.keys()):
            if matlab and not prefix and name == "#refs#":
                continue
            try:
                child = group[name]
            except (KeyError, OSError, RuntimeError):
                link = group.get(name, getlink=True)  # a dangling soft or external link
                if gone is not None and isinstance(link, h5py.ExternalLink) and link.filename not in gone:
                    gone.append(link.filename)
                continue
            identity = h5py.h5o.get_info(child.id)
            if (identity.fileno, identity.addr) in seen:
                continue
            seen.add((identity.fileno, identity.addr))
            if isinstance(child, h5py.Dataset):
                found.append(_describe(child, f"{prefix}/{name}", matlab))
            elif isinstance(child, h5py.Group):
                groups.append((f"{prefix}/{name}", child))
        pending.extend(reversed(groups))
    return found


def _describe(dataset: Any, key: str | None, matlab: bool) -> DatasetInfo:
    try:
        dtype = dataset.dtype
    except (TypeError, ValueError):
        dtype = None
    shape = dataset.shape or ()
    properties = dataset.id.get_create_plist()
    names = [properties.get_filter(number)[3].decode("utf-8", "replace") for number in range(properties.get_nfilters())]
    return DatasetInfo(
        (key or dataset.name).lstrip("/"),
        shape[::-1] if matlab else shape,
        complex_pairs(dtype) or dtype,
        dataset.chunks,
        ", ".join(names),
        dataset.id.get_storage_size(),
    )


def _candidate(path: Path, file: Any, purpose: str) -> DatasetInfo:
    """The only data set that fits, or of several the one that the file's conventions call its data."""
    gone: list[str] = []
    infos = _find(file, gone)
    fits = [info for info in infos if len(info.shape) in (3, 4) and info.is_numeric]
    if purpose == "patterns" and not fits and gone:
        raise DataError(f"{path}: its data are in other files, which are missing: {', '.join(gone[:10])}")
    if purpose == "patterns" and len(fits) > 1:
        chosen = preferred(file, [info.key for info in fits])
        infos = [info for info in infos if info.key in chosen] or infos
    return only_candidate(path, infos, purpose)


def _named(path: Path, file: Any, key: str) -> DatasetInfo:
    try:
        entry = file[key]
    except (KeyError, OSError) as error:
        raise _unknown_key(path, file, key) from error
    if not isinstance(entry, h5py.Dataset):
        inside = [info for info in _find(file) if info.key.startswith(f"{key.strip('/')}/")]
        raise DataError(f"{path}: {key} is a group, a dataset is needed. {listing(inside)}")
    return _describe(entry, key, is_matlab(file))


def _unknown_key(path: Path, file: Any, key: str) -> DataError:
    try:
        link = file.get(key, getlink=True)
    except (KeyError, OSError):
        link = None
    if isinstance(link, (h5py.SoftLink, h5py.ExternalLink)):
        where = f" in {link.filename}" if isinstance(link, h5py.ExternalLink) else ""
        return DataError(f"{path}: {key} is a link to {link.path}{where}, which is missing")
    return unknown_key(path, _find(file), key)


# --- checks and attributes ------------------------------------------------------------------------------------
def _require_readable(path: Path, dataset: Any, key: str) -> None:
    """DataError where a filter is not installed, files of a virtual dataset are missing, or the size is a lie.

    Sparse and compressed datasets may be larger than their storage, but not by any factor and any size.
    """
    missing = missing_filter(dataset)
    if missing:
        raise DataError(f"{path}: {key}: {missing}")
    what = f"{key} {dataset.shape} {dataset.dtype}"
    declared = math.prod(dataset.shape) * dataset.dtype.itemsize
    if dataset.is_virtual:
        names = dict.fromkeys(source.file_name for source in dataset.virtual_sources())
        gone = [name for name in names if name != "." and not (path.parent / name).is_file()]
        if gone:  # HDF5 would read fill values in their place
            raise DataError(f"{path}: {key}: {len(gone)} of {len(names)} files are missing: {', '.join(gone[:10])}")
    elif dataset.external is None:
        require_plausible(path, f"{what} ({human(declared)})", declared, dataset.id.get_storage_size())
    offset = dataset.id.get_offset()
    if offset is not None and dataset.chunks is None and dataset.external is None:
        held_by = Path(dataset.file.filename)
        require_bytes(held_by, what, offset + declared, file_size(held_by))


def _attributes(entry: Any) -> Attributes:
    """Numbers of an object and of the groups above it, the nearest first.

    Texts are left alone: HDF5 2.0 can loop for ever in a damaged heap of them.
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
