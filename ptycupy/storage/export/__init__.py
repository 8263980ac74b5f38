"""A reconstruction written for other programs: one module per program, the formats in one list."""

from __future__ import annotations

from pathlib import Path

import h5py

from ptycupy.config.suggest import did_you_mean, shown
from ptycupy.errors import ConfigError, ResourceError
from ptycupy.storage.atomic import Sink, atomic_write
from ptycupy.storage.export import cxi, mat, npz, ptychodus, ptypy, py4dstem, quantem
from ptycupy.storage.export.format import ALL, SLICED, Format
from ptycupy.storage.layouts import write_phaser, write_ptyrad
from ptycupy.storage.result import write_result
from ptycupy.storage.snapshot import Snapshot


def _ptyrad(sink: Sink, snapshot: Snapshot) -> None:
    with h5py.File(sink, "w") as file:
        write_ptyrad(file, snapshot)


def _phaser(sink: Sink, snapshot: Snapshot) -> None:
    with h5py.File(sink, "w") as file:
        write_phaser(file, snapshot)


_PTYRAD = frozenset({"object modes", "slices", "tilt", "tilts"})
FORMATS = (
    Format("ptycupy", "ptycupy", ".h5", write_result, ALL),
    Format("ptyrad", "PtyRAD", ".hdf5", _ptyrad, _PTYRAD),
    Format("phaser", "phaser", ".h5", _phaser, SLICED | {"tilt", "tilts"}),
    Format("ptychodus", "ptychodus", ".h5", ptychodus.write_hdf5, SLICED),
    Format("ptychodus-npz", "ptychodus", ".npz", ptychodus.write_npz, SLICED),
    Format("py4dstem", "py4DSTEM", ".h5", py4dstem.write, SLICED | {"tilt"}),
    Format("quantem", "quantem", ".npz", quantem.write, SLICED | {"tilt"}),
    Format("cxi", "CXI", ".cxi", cxi.write, SLICED),
    Format("ptypy", "PtyPy", ".ptyr", ptypy.write, frozenset({"object modes", "pixels"})),
    Format("npz", "NumPy", ".npz", npz.write, ALL),
    Format("mat", "PtychoShelves", ".mat", mat.write, SLICED),
)


def find_format(name: str) -> Format:
    """The format of this name. ConfigError, with what there is, for another."""
    for format_ in FORMATS:
        if format_.name == name:
            return format_
    known = [format_.name for format_ in FORMATS]
    raise ConfigError(f"format {shown(name)!r}: there is {', '.join(known)}{did_you_mean(name, known)}")


def write_export(path: Path, snapshot: Snapshot, format_: Format) -> None:
    """Writes `path` whole or not at all. ConfigError where the format needs what the reconstruction does not have,
    ResourceError where the file cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ResourceError(f"{path.parent}: the folder of the exported file cannot be made: {error}") from error
    with atomic_write(path) as sink:
        format_.write(sink, snapshot)


__all__ = ["FORMATS", "Format", "find_format", "write_export"]
