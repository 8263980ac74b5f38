"""Zarr folders of version 2 and 3, through the optional package zarr; chunks are read when they are needed."""

from __future__ import annotations

import itertools
import json
import math
import os
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.data.files import open_binary, require_memory, require_plausible
from ptycupy.data.readers import ReaderOptions
from ptycupy.data.readers.choice import ArrayInfo, choose
from ptycupy.data.stored import Attributes
from ptycupy.errors import DataError

METADATA_LIMIT = 1 << 20
BLOSC_HEADER = 16
ENTRY_LIMIT = 100_000  # files that are looked at for the size of a store


class ZarrArray:
    """One array of a store, opened when it is first read and once in each process."""

    def __init__(self, path: Path, key: str, array: Any, attributes: Attributes) -> None:
        self.path, self.key = path, key
        self.shape = tuple(int(length) for length in array.shape)
        self.chunks = tuple(int(length) for length in array.chunks)
        self.dtype = np.dtype(array.dtype)
        self.attributes = attributes
        self._array: Any = None
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_array": None, "_lock": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock = threading.Lock()

    def read_region(self, region: tuple[slice, ...]) -> NDArray[Any]:
        """The region; DataError where a chunk is damaged or cut off."""
        with self._lock, _translated(self.path, self.key):
            if self._array is None:
                self._array = _open(self.path, self.key)
            _require_blosc(self.path / self.key, self.chunks, self.dtype, region)
            values = np.asarray(self._array[region])
        expected = tuple(part.stop - part.start for part in region)
        if values.shape != expected or values.dtype != self.dtype:
            raise DataError(f"{self.path}: {self.key} gives {values.shape} {values.dtype} now, not {expected}")
        return values


def open_array(path: Path, options: ReaderOptions) -> ZarrArray:
    """The array under `key`, or the only one that fits; "" is the key of a store that is an array itself."""
    info = choose(path, list_arrays(path), options.key, options.purpose)
    with _translated(path, info.key):
        array = ZarrArray(path, info.key, _open(path, info.key), _attributes(path, info.key))
    declared = math.prod(array.shape) * array.dtype.itemsize
    stored, complete = _stored_bytes(path / info.key)
    if complete:
        require_plausible(path, f"{info}", declared, stored)
    require_memory(path, f"one chunk {array.chunks} of {info}", math.prod(array.chunks) * array.dtype.itemsize)
    return array


def list_arrays(path: Path) -> list[ArrayInfo]:
    """Every array of the store that is no pickle."""
    infos = []
    refused: DataError | None = None
    for key in _keys(path):
        try:
            with _translated(path, key):
                array = _open(path, key)
                infos.append(ArrayInfo(key, tuple(int(length) for length in array.shape), np.dtype(array.dtype)))
        except DataError as error:
            refused = error
    if not infos and refused is not None:
        raise refused
    return infos


def _keys(path: Path) -> list[str]:
    keys, seen = [], 0
    for folder, folders, files in os.walk(path):
        seen += len(files) + 1
        if ".zarray" in files or ("zarr.json" in files and _metadata(Path(folder) / "zarr.json").get("shape")):
            keys.append(Path(folder).relative_to(path).as_posix().removeprefix("."))
            folders.clear()  # what is below are chunks
        if seen > ENTRY_LIMIT:
            break
        folders.sort()
    return keys


def _open(path: Path, key: str) -> Any:
    try:
        import zarr
    except ImportError as error:
        raise DataError(f"{path}: zarr stores need a package: pip install 'ptycupy[zarr]'") from error
    for mark in (".zarray", "zarr.json"):
        # Metadata may name codecs that unpickle; whatever names one is refused before it is met.
        if "pickle" in json.dumps(_metadata(path / key / mark)).lower():
            raise DataError(f"{path}: {key} is stored as pickles, which run code when they are read: refused unread")
    array = zarr.open_array(str(path / key), mode="r")
    if np.dtype(array.dtype).hasobject:
        raise DataError(f"{path}: {key} holds Python objects and is refused unread; save plain numbers")
    return array


def _metadata(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    with open_binary(path) as stream:
        text = stream.read(METADATA_LIMIT + 1)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: damaged, cut off or too long: no JSON ({error})") from error
    return found if isinstance(found, dict) else {}


def _require_blosc(folder: Path, chunks: tuple[int, ...], dtype: np.dtype[Any], region: tuple[slice, ...]) -> None:
    """DataError where a chunk compressed by Blosc is not as long as its header says: Blosc would read beyond it."""
    name = _blosc_names(folder)
    if name is None:
        return
    whole = math.prod(chunks) * dtype.itemsize
    ranges = [range(part.start // chunk, -(-part.stop // chunk)) for part, chunk in zip(region, chunks, strict=True)]
    for place in itertools.product(*ranges):
        file = folder / name(place)
        if not file.is_file():
            continue  # a chunk of nothing but the fill value
        with open_binary(file) as stream:
            start = stream.read(BLOSC_HEADER)
        size = file.stat().st_size
        unpacked, _, stored = struct.unpack("<III", start[4:]) if len(start) == BLOSC_HEADER else (0, 0, -1)
        if stored != size or unpacked > whole:
            raise DataError(f"{file}: chunk {place} is damaged or cut off: {size} of {stored} bytes")


def _blosc_names(folder: Path) -> Callable[[tuple[int, ...]], str] | None:
    """How the chunks' files are called where Blosc was applied last, else None."""
    old, new = _metadata(folder / ".zarray"), _metadata(folder / "zarr.json")
    if old:
        compressor = old.get("compressor") or {}
        separator = str(old.get("dimension_separator") or ".")
        return (lambda place: separator.join(map(str, place))) if compressor.get("id") == "blosc" else None
    codecs, encoding = new.get("codecs") or [{}], new.get("chunk_key_encoding") or {}
    if codecs[-1].get("name") != "blosc":
        return None
    default = encoding.get("name") != "v2"
    stated = (encoding.get("configuration") or {}).get("separator")
    between = str(stated or ("/" if default else "."))
    return lambda place: between.join([*(["c"] if default else []), *map(str, place)])


def _attributes(path: Path, key: str) -> Attributes:
    """Numbers of the array and of the groups above it, the nearest first."""
    values: dict[str, float | tuple[float, ...]] = {}
    folder = path / key
    while True:
        stated = _metadata(folder / "zarr.json").get("attributes")
        for name, value in {**(stated if isinstance(stated, dict) else {}), **_metadata(folder / ".zattrs")}.items():
            numbers = value if isinstance(value, list) else [value]
            if numbers and len(numbers) <= 64 and all(type(number) in (int, float) for number in numbers):
                plain = tuple(float(number) for number in numbers)
                values.setdefault(str(name), plain if isinstance(value, list) else plain[0])
        if folder == path:
            return Attributes(values)
        folder = folder.parent


def _stored_bytes(folder: Path) -> tuple[int, bool]:
    """Bytes of the files of an array, and whether all of them were counted."""
    total, seen = 0, 0
    for place, _, files in os.walk(folder):
        for name in files:
            total += (Path(place) / name).stat().st_size
            seen += 1
            if seen > ENTRY_LIMIT:
                return total, False
    return total, True


@contextmanager
def _translated(path: Path, key: str) -> Iterator[None]:
    """What zarr and its codecs raise on damaged stores (all kinds) as one DataError."""
    try:
        yield
    except DataError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise DataError(
            f"{path}: {key or 'the array'} is damaged or cut off ({type(error).__name__}: {reason})"
        ) from error
