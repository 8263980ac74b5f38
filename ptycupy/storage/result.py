"""Saving and loading of result.h5, and the comparison of what was saved with what is asked for now."""

from __future__ import annotations

import os
import re
from pathlib import Path

import h5py

from ptycupy.errors import DataError
from ptycupy.storage import canonical, layouts
from ptycupy.storage.atomic import Sink, atomic_write
from ptycupy.storage.snapshot import Snapshot

# A change in these sections makes other arrays; whatever else differs only changes how the run goes on.
_FIXED_SECTIONS = ("data", "illumination", "calibration", "scan", "object", "model")


def save_result(path: str | os.PathLike[str], snapshot: Snapshot) -> None:
    """Writes a snapshot as one HDF5 file (DESIGN: result.h5) that replaces `path` at once or not at all.

    Raises ResourceError when the disk is full or the folder cannot be written; a file that was there stays as it was.
    """
    with atomic_write(path) as sink:
        write_result(sink, snapshot)


def write_result(sink: Sink, snapshot: Snapshot) -> None:
    """The content of such a file."""
    with h5py.File(sink, "w", libver=("v110", "v110")) as file:
        canonical.write(file.create_group("ptycupy"), snapshot)
        layouts.write_ptyrad(file, snapshot)
        layouts.write_phaser(file, snapshot)
        layouts.write_nexus(file, snapshot)


def load_result(path: str | os.PathLike[str]) -> Snapshot:
    """The snapshot of a file by `save_result`, every value as it was, checked against its checksums.

    Raises DataError that says what is wrong: missing, not HDF5, truncated, damaged, incomplete, newer, not ours.
    """
    file = Path(path)
    try:
        with h5py.File(file, "r") as root:
            if "ptycupy" not in root:
                raise DataError(f"no /ptycupy group: not a result of ptycupy (it holds {', '.join(root) or 'nothing'})")
            return canonical.read(root["ptycupy"])
    except DataError as error:
        raise DataError(f"{file}: {error}") from None
    except OSError as error:
        raise DataError(f"{file}: {_why_unreadable(file, error)}") from error
    except (KeyError, ValueError, TypeError, RuntimeError, OverflowError, MemoryError) as error:
        raise DataError(f"{file}: damaged: {error}") from error


def holds_result(path: Path) -> bool:
    """Whether the file is HDF5 and has our group, whatever its state."""
    try:
        with h5py.File(path, "r") as root:
            return "ptycupy/state" in root
    except OSError:
        return False  # whoever reads it says why


def verify(snapshot: Snapshot, data_fingerprint: str, config: str) -> list[str]:
    """Whether a run with these data and this configuration (YAML) may go on from the snapshot.

    Returns the differences that are allowed, one line each: "reconstruction.iterations: saved 20, now 40". Raises
    DataError with all differences when the data are others, or when a section that shapes the arrays changed. Paths
    may change: the fingerprint says whether the data are the same.
    """
    fixed: list[str] = []
    free: list[str] = []
    if snapshot.data_fingerprint != data_fingerprint:
        fixed.append(f"data set: saved fingerprint {snapshot.data_fingerprint}, now {data_fingerprint}")
    saved, current = _flatten(snapshot.config), _flatten(config)
    for key in [*saved, *(key for key in current if key not in saved)]:
        before, after = saved.get(key, "nothing"), current.get(key, "nothing")
        if before != after:
            waits = key in ("data.follow.timeout_seconds", "data.follow.settle_seconds")
            harmless = waits or key.split(".")[0] not in _FIXED_SECTIONS or key.endswith("path")
            (free if harmless else fixed).append(f"{key}: saved {before}, now {after}")
    if fixed:
        rows = "\n  ".join(fixed + free)
        raise DataError(f"iteration {snapshot.iteration} was saved by another reconstruction; these differ:\n  {rows}")
    return free


def _flatten(config: str) -> dict[str, str]:
    """Dotted key -> value as written, of YAML in block style (what the configuration is dumped as); only for showing
    differences, so that storage needs no YAML."""
    values: dict[str, str] = {}
    parents: list[tuple[int, str, bool]] = []  # indentation, name, whether it is an item of a list
    items: dict[str, int] = {}

    def path() -> str:
        return ".".join(name for _, name, _ in parents)

    for line in config.splitlines():
        text, indent = line.strip(), len(line) - len(line.lstrip())
        if text.startswith("#"):
            continue
        while text.startswith("- "):
            while parents and (parents[-1][0] > indent or (parents[-1][0] == indent and parents[-1][2])):
                parents.pop()
            number = items[path()] = items.get(path(), -1) + 1
            parents.append((indent, str(number), True))
            text, indent = text[2:].lstrip(), indent + 2
        pair = re.match(r"(\w+):(?: (.*))?$", text)
        if pair:
            while parents and parents[-1][0] >= indent:
                parents.pop()
            parents.append((indent, pair[1], False))
            text = pair[2] or ""
        if text:
            values[path()] = f"{values[path()]} {text}" if path() in values else text
    return values


def _why_unreadable(file: Path, error: OSError) -> str:
    if not file.exists():
        return "no such file"
    if file.is_dir():
        return "is a folder, not a file"
    truncated = re.search(r"truncated file: eof = (\d+), .*stored_eof = (\d+)", str(error))
    if truncated:
        return f"truncated: {truncated[1]} of {truncated[2]} bytes are there"
    if isinstance(error, PermissionError):
        return "permission denied"
    if not h5py.is_hdf5(file):
        return f"not an HDF5 file ({file.stat().st_size} bytes)"
    return f"damaged: {error}"
