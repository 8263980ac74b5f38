"""Saving and loading of result.h5, and the comparison of what was saved with what is asked for now."""

from __future__ import annotations

import difflib
import os
import re
from pathlib import Path

import h5py

from ptycupy.errors import DataError
from ptycupy.storage import canonical, layouts
from ptycupy.storage.atomic import atomic_write
from ptycupy.storage.snapshot import Snapshot

# A change in these sections makes other arrays; whatever else differs only changes how the run goes on.
_FIXED_SECTIONS = ("data", "illumination", "calibration", "scan", "object", "model")


def save_result(path: str | os.PathLike[str], snapshot: Snapshot) -> None:
    """Writes a snapshot as one HDF5 file (DESIGN: result.h5) that replaces `path` at once or not at all.

    Raises ResourceError when the disk is full or the folder cannot be written; a file that was there stays as it was.
    """
    with atomic_write(path) as sink, h5py.File(sink, "w", libver=("v110", "v110")) as file:
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


def verify(snapshot: Snapshot, data_fingerprint: str, config: str) -> list[str]:
    """Whether a run with these data and this configuration (YAML) may go on from the snapshot.

    Returns the differences that are allowed, one line each: "reconstruction: saved 'iterations: 20', now ...".
    Raises DataError with all differences when the data are others, or when a section that shapes the arrays changed.
    Paths may change: the fingerprint says whether the data are the same.
    """
    fixed: list[str] = []
    free: list[str] = []
    if snapshot.data_fingerprint != data_fingerprint:
        fixed.append(f"data set: saved fingerprint {snapshot.data_fingerprint}, now {data_fingerprint}")
    saved, current = _sections(snapshot.config), _sections(config)
    for name in [*saved, *(section for section in current if section not in saved)]:
        for before, after in _changes(saved.get(name, []), current.get(name, [])):
            harmless = all(re.match(r"(- )?(\w+_)?path:", line) for line in (before, after) if line)
            line = f"{name}: saved {_quoted(before)}, now {_quoted(after)}"
            (fixed if name in _FIXED_SECTIONS and not harmless else free).append(line)
    if fixed:
        rows = "\n  ".join(fixed + free)
        raise DataError(f"iteration {snapshot.iteration} was saved by another reconstruction; these differ:\n  {rows}")
    return free


def _quoted(line: str) -> str:
    return repr(line) if line else "nothing"


def _sections(config: str) -> dict[str, list[str]]:
    """Lines of every top-level section of a YAML text, stripped."""
    sections: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in config.splitlines():
        head = re.match(r"(\w+):\s*(.*)", line)
        if head:
            lines = sections.setdefault(head[1], [])
            line = head[2]
        if line.strip() and not line.lstrip().startswith("#"):
            lines.append(line.strip())
    return sections


def _changes(before: list[str], after: list[str]) -> list[tuple[str, str]]:
    """Pairs of lines (saved, now) that differ, "" where one has none."""
    pairs: list[tuple[str, str]] = []
    for tag, i, j, k, m in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag != "equal":
            old, new = before[i:j], after[k:m]
            longer = max(len(old), len(new))
            pairs += zip(old + [""] * (longer - len(old)), new + [""] * (longer - len(new)), strict=True)
    return pairs


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
