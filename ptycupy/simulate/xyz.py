"""XYZ and extended XYZ files: lists of atoms in angstrom."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ptycupy.errors import DataError
from ptycupy.simulate.scattering import atomic_number

MAX_ATOMS = 10_000_000
LATTICE_TOLERANCE = 1e-6
"""How far, in angstrom, the in-plane vectors may leave the plane of the specimen."""


@dataclass(frozen=True)
class AtomList:
    """The atoms of a file, in the order (z, y, x); the file's z is the direction of the beam."""

    numbers: NDArray[np.int64]  # [n]
    positions: NDArray[np.float64]  # [n, 3] angstrom (z, y, x)
    lattice: NDArray[np.float64] | None  # [2, 2] rows a and b in the plane, angstrom (y, x)
    along_beam: NDArray[np.float64] | None  # [3] the third lattice vector, angstrom (z, y, x)


def read_xyz(path: str | Path) -> AtomList:
    """Read the first frame of an XYZ or extended XYZ file (`Lattice="..."`, `Properties=...`).

    Raises DataError, with the line, for a missing file, a wrong count, an unknown element, a coordinate that is not
    a finite number, or a lattice whose first two vectors do not lie in the x-y plane.
    """
    path = Path(path)
    try:
        with path.open(encoding="utf-8") as stream:
            count = _count(path, stream.readline())
            comment = stream.readline()
            lines = list(islice(stream, count))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as an XYZ file: {error}") from error
    if len(lines) < count:
        raise DataError(f"{path}: truncated: {len(lines)} of {count} atoms")
    species, first = _columns(path, comment)
    numbers = np.empty(count, np.int64)
    positions = np.empty((count, 3))
    for i, line in enumerate(lines):
        numbers[i], positions[i] = _atom(path, i + 3, line.split(), species, first)
    vectors = _lattice(path, comment)
    if vectors is None:
        return AtomList(numbers, positions, None, None)
    return AtomList(numbers, positions, np.ascontiguousarray(vectors[:2, 1::-1]), vectors[2, ::-1].copy())


def _count(path: Path, line: str) -> int:
    text = line.strip()
    if not (text.isascii() and text.isdigit() and 0 < int(text[:20]) <= MAX_ATOMS):
        raise DataError(f"{path}:1: found {text[:40]!r}, expected the number of atoms, 1 to {MAX_ATOMS}")
    return int(text)


def _columns(path: Path, comment: str) -> tuple[int, int]:
    """Where the element and the first coordinate stand in a line."""
    found = re.search(r"\bProperties=(\S+)", comment)
    if not found:
        return 0, 1
    fields = found.group(1).strip('"').split(":")
    column, places = 0, {}
    for name, width in zip(fields[0::3], fields[2::3], strict=False):
        places[name.lower()] = column
        column += int(width) if width.isdigit() else 0
    element = places.get("species", places.get("z"))
    if element is None or "pos" not in places:
        raise DataError(f"{path}:2: Properties={found.group(1)[:60]} names no species and pos columns")
    return element, places["pos"]


def _atom(path: Path, line: int, words: list[str], species: int, first: int) -> tuple[int, list[float]]:
    try:
        number = atomic_number(words[species])
        x, y, z = (float(word) for word in words[first : first + 3])
    except (IndexError, ValueError) as error:
        found = " ".join(words)[:60]
        raise DataError(f"{path}:{line}: found {found!r}, expected an element and x, y, z in angstrom") from error
    except DataError as error:
        raise DataError(f"{path}:{line}: {error}") from error
    if not np.isfinite([x, y, z]).all():
        raise DataError(f"{path}:{line}: position {x}, {y}, {z} is not finite")
    return number, [z, y, x]


def _lattice(path: Path, comment: str) -> NDArray[np.float64] | None:
    """[3, 3] rows a, b, c in angstrom (x, y, z); None where the comment names none."""
    try:
        words = shlex.split(comment)
    except ValueError:  # an apostrophe in a plain comment
        return None
    text = next((word.partition("=")[2] for word in words if word.startswith("Lattice=")), None)
    if text is None:
        return None
    try:
        vectors = np.array([float(word) for word in text.split()]).reshape(3, 3)
    except ValueError as error:
        raise DataError(f'{path}:2: Lattice="{text[:60]}" must be nine numbers in angstrom') from error
    plane = vectors[:2, :2]
    if not np.isfinite(vectors).all() or np.abs(vectors[:2, 2]).max() > LATTICE_TOLERANCE:
        raise DataError(f"{path}:2: the first two lattice vectors must lie in the x-y plane, across the beam")
    if abs(np.linalg.det(plane)) < LATTICE_TOLERANCE:
        raise DataError(f"{path}:2: the first two lattice vectors are parallel")
    return vectors
