"""What a file of results holds, by name: arrays, single numbers and texts, whatever its format."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.data.arrays import read_array, read_attributes
from ptycupy.data.files import find_file
from ptycupy.data.readers import detect
from ptycupy.data.stored import Attributes


class Contents:
    """The named arrays of a file; nothing is read before it is asked for. Keys are written with slashes."""

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path: Path = find_file(path)
        entry = detect(self.path)
        self.is_hdf5 = entry.name == "hdf5"
        self.shapes: dict[str, tuple[int, ...]] = (
            self._hdf5_shapes()
            if self.is_hdf5
            else {info.key: tuple(info.shape) for info in entry.list_arrays(self.path) or ()}
        )

    def _hdf5_shapes(self) -> dict[str, tuple[int, ...]]:
        from ptycupy.data.readers.hdf5_tree import list_shapes

        return list_shapes(self.path)

    def __contains__(self, key: str) -> bool:
        return key in self.shapes

    def array(self, key: str) -> NDArray[Any]:
        """The array under `key`, of at least one axis."""
        return read_array(self.path, key)

    def number(self, key: str) -> float | None:
        """The one real number under `key`, or None where there is none or it is not finite."""
        if key not in self.shapes:
            return None
        if self.is_hdf5:
            from ptycupy.data.readers.hdf5_tree import read_number

            value = read_number(self.path, key)
        elif not self.shapes[key]:  # only .npz lists arrays without axes
            from ptycupy.data.readers.npz import read_number as read_member

            value = read_member(self.path, key)
        else:
            values = self.array(key)
            value = float(values.ravel()[0]) if values.size == 1 and values.dtype.kind in "biuf" else None
        return value if value is not None and np.isfinite(value) else None

    def attributes(self, key: str) -> Attributes:
        """The numbers that an HDF5 file states about the array under `key`, or about all of it."""
        return read_attributes(self.path, key) if self.is_hdf5 else Attributes()

    def pair(self, key: str) -> tuple[float, float] | None:
        """The one or two positive numbers under `key` as (y, x), or None."""
        single = self.number(key)
        if single is not None:
            return (single, single) if single > 0 else None
        if key not in self.shapes or np.prod(self.shapes[key]) != 2:
            return None
        first, second = np.asarray(self.array(key), np.float64).ravel()
        return (float(first), float(second)) if min(first, second) > 0 and np.isfinite([first, second]).all() else None

    def text(self, key: str) -> str | None:
        """The text under `key`, or None."""
        if not self.is_hdf5 or key not in self.shapes:
            return None
        from ptycupy.data.readers.hdf5_tree import read_text

        return read_text(self.path, key)
