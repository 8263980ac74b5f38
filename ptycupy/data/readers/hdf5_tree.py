"""The tree of an HDF5 file by every name, hard links too, and its single numbers and texts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py

from ptycupy.data.readers.hdf5 import is_matlab
from ptycupy.data.readers.hdf5_access import open_file, translated

LONGEST_TEXT = 4096  # bytes
NAMES_LIMIT = 20_000
DEPTH_LIMIT = 16  # a group may contain itself


def list_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Shape of every dataset under each of its names (discovery of patterns lists each once); MATLAB's in its order."""
    with translated(path), open_file(path) as file:
        reverse = -1 if is_matlab(file) else 1
        found: dict[str, tuple[int, ...]] = {}
        pending: list[tuple[str, int, Any]] = [("", 0, file["/"])]
        while pending and len(found) < NAMES_LIMIT:
            prefix, depth, group = pending.pop()
            for name in group:
                try:
                    child = group[name]
                except (KeyError, OSError, RuntimeError):
                    continue  # a dangling soft or external link
                if isinstance(child, h5py.Dataset):
                    found[f"{prefix}{name}"] = (child.shape or ())[::reverse]
                elif isinstance(child, h5py.Group) and depth < DEPTH_LIMIT:
                    pending.append((f"{prefix}{name}/", depth + 1, child))
        return found


def read_number(path: Path, key: str) -> float | None:
    """The real number that the dataset under `key` holds; None where there is none, or something else."""
    with translated(path, key), open_file(path) as file:
        entry = file.get(key)
        if not isinstance(entry, h5py.Dataset) or entry.size != 1 or entry.dtype.kind not in "biuf":
            return None
        return float(entry[()].item())


def read_text(path: Path, key: str) -> str | None:
    """The short text that the dataset under `key` holds; None where there is none, or something else."""
    with translated(path, key), open_file(path) as file:
        entry = file.get(key)
        if not isinstance(entry, h5py.Dataset) or entry.shape != () or not h5py.check_string_dtype(entry.dtype):
            return None
        value = entry[()]
        text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
        return text[:LONGEST_TEXT]
