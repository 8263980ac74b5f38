"""Small arrays beside the patterns: positions, probe guesses, masks, truths."""

from __future__ import annotations

import math
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.data.files import file_size, find_file, human, open_binary, read_bytes, require_memory
from ptycupy.data.readers import ReaderOptions, detect
from ptycupy.data.stored import Attributes
from ptycupy.errors import DataError

TEXT_SUFFIXES = (".txt", ".csv", ".dat", ".tsv")
TEXT_LIMIT = 1 << 28


def read_array(path: str | PathLike[str], key: str | None = None) -> NDArray[Any]:
    """A whole array of numbers, real or complex, from HDF5, .npy, TIFF or a text table, in native byte order.

    `key` names the dataset; it may be left out where the file has only one. DataError as for patterns.
    """
    found = find_file(path)
    if found.suffix.lower() in TEXT_SUFFIXES:
        return _read_table(found)
    stored = detect(found).open(found, ReaderOptions(key, purpose="array"))
    if stored.dtype.kind not in "biufc":
        raise DataError(f"{found}{f': {stored.key}' if stored.key else ''}: dtype {stored.dtype} holds no numbers")
    require_memory(found, f"{stored.shape} {stored.dtype}", math.prod(stored.shape) * stored.dtype.itemsize)
    values = stored.read_region(tuple(slice(0, length) for length in stored.shape))
    return np.ascontiguousarray(values.astype(stored.dtype.newbyteorder("="), copy=False))


def read_attributes(path: str | PathLike[str], key: str | None = None) -> Attributes:
    """What the file states about the array under `key`: numbers by name; nothing for formats without any."""
    found = find_file(path)
    if found.suffix.lower() in TEXT_SUFFIXES:
        return Attributes()
    entry = detect(found)
    if entry.name == "hdf5":
        from ptycupy.data.readers import hdf5

        return hdf5.read_attributes(found, key)
    return entry.open(found, ReaderOptions(key, purpose="array")).attributes


def _read_table(path: Path) -> NDArray[np.float64]:
    """Rows of numbers [rows, columns] between commas, semicolons or blanks; # comments, one heading line allowed."""
    size = file_size(path)
    if size > TEXT_LIMIT:
        raise DataError(f"{path}: a table of {human(size)}; text may have {human(TEXT_LIMIT)}, save it as .npy")
    with open_binary(path) as stream:
        raw = read_bytes(stream, path, 0, size)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not a text table (byte {error.start} is no UTF-8)") from error
    rows: list[list[float]] = []
    heading: int | None = None
    for number, line in enumerate(text.splitlines(), 1):
        fields = line.split("#")[0].replace(",", " ").replace(";", " ").split()
        if not fields:
            continue
        try:
            row = [float(value) for value in fields]
        except ValueError as error:
            if rows or heading:
                raise DataError(f"{path}:{number}: {error}; a row of numbers is needed") from error
            heading = number
            continue
        if rows and len(row) != len(rows[0]):
            raise DataError(f"{path}:{number}: {len(row)} numbers, the rows above have {len(rows[0])}")
        rows.append(row)
    if not rows:
        raise DataError(f"{path}: no row of numbers in {size} bytes")
    return np.array(rows)
