"""Results written for other programs, and those of other programs brought here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ptycupy.api.result import Result, read_snapshot
from ptycupy.errors import ConfigError
from ptycupy.reconstruction.run_folder import RESULT
from ptycupy.storage.export import find_format, write_export
from ptycupy.storage.snapshot import Snapshot


@dataclass(frozen=True)
class Exported:
    """A file for another program."""

    path: Path
    program: str
    lost: tuple[str, ...]  # what the reconstruction had and the format has no place for

    def __str__(self) -> str:
        missing = f"\n{self.program} has no place for {', '.join(self.lost)}" if self.lost else ""
        return f"{self.path}{missing}"


def export(
    result: Result | Snapshot | str | Path, path: str | Path | None, format: str, *, overwrite: bool = False
) -> Exported:
    """Writes a reconstruction in the layout, units and order of axes of another program.

    `result` is a Result, a run folder, or a file: result.h5 or what PtyRAD, phaser, ptychodus, py4DSTEM, quantem,
    PtyPy, PtychoShelves, CXI or an exported .npz holds, so that one format becomes another. `format` is ptycupy,
    ptyrad, phaser, ptychodus, ptychodus-npz, py4dstem, quantem, cxi, ptypy, npz or mat; `path` None puts the file
    beside what was read. Raises ConfigError for an unknown format, a file that is there already, and lengths that the
    format needs and a reconstruction in pixels does not have; DataError for what cannot be read; ResourceError for
    what cannot be written.
    """
    chosen = find_format(format)
    snapshot, source = _snapshot(result)
    target = source.with_name(f"{source.stem}_{chosen.name}{chosen.suffix}") if path is None else Path(path)
    if target.exists() and not overwrite:
        raise ConfigError(f"{target}: exists already; use --overwrite or another name")
    write_export(target, snapshot, chosen)
    return Exported(target, chosen.program, tuple(chosen.lacks(snapshot)))


def _snapshot(result: Result | Snapshot | str | Path) -> tuple[Snapshot, Path]:
    """What to export, and the file that it came from or would have come from."""
    if isinstance(result, Result):
        return result.snapshot, result.folder / RESULT
    if isinstance(result, Snapshot):
        return result, Path(RESULT)
    return read_snapshot(result)
