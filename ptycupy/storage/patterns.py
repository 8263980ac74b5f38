"""Patterns written for other programs, slab by slab: HDF5, .npy, TIFF and MATLAB files, whole or not at all."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal, cast

import h5py
import numpy as np
from numpy.typing import NDArray

from ptycupy.data.source import PatternSource
from ptycupy.errors import ConfigError, ResourceError
from ptycupy.storage.atomic import Sink, atomic_write
from ptycupy.storage.stream import Stream

MatVersion = Literal["5", "7.3"]
NAME = "meas"  # of the dataset in HDF5 and MATLAB files, PtyRAD's
SLAB_BYTES = 1 << 25
MAT5_BYTES = 2**31 - 2**16  # what a variable of a version 5 file holds
USERBLOCK_BYTES = 512
HEADER = b"MATLAB 7.3 MAT-file, written by ptycupy"


@dataclass(frozen=True)
class Export:
    """Patterns to write: float32, scaled, in scan order. `reshape` is the whole array's shape, the detector last.

    Raises ConfigError where that does not fit the patterns.
    """

    source: PatternSource
    scale: float | NDArray[Any]  # one number or [N]
    reshape: tuple[int, ...] | None = None  # by default [N, ky, kx]

    def __post_init__(self) -> None:
        count, *detector = self.source.shape
        shape = self.shape
        if len(shape) < 3 or min(shape) < 1 or shape[-2:] != tuple(detector) or math.prod(shape[:-2]) != count:
            shown = " x ".join(map(str, shape))
            raise ConfigError(
                f"reshape: {shown} does not fit {count} patterns of {detector[0]} x {detector[1]} px; "
                "give the scan's shape, then the detector's"
            )

    @property
    def shape(self) -> tuple[int, ...]:
        return self.source.shape if self.reshape is None else self.reshape

    @property
    def leading(self) -> tuple[int, ...]:
        """The axes that number the patterns, product N."""
        return self.shape[:-2]

    def slabs(self) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """All patterns [n, ky, kx], a few at a time."""
        size = max(1, SLAB_BYTES // (8 * math.prod(self.source.shape[1:])))
        scale = np.broadcast_to(np.asarray(self.scale, np.float64), self.source.shape[:1])
        for part, patterns in self.source.slabs(size):
            yield part, (patterns * scale[part, None, None]).astype(np.float32)

    def patterns(self) -> Iterator[NDArray[np.float32]]:
        """All patterns [ky, kx], one by one."""
        for _, slab in self.slabs():
            yield from slab


def write_patterns(
    path: Path,
    export: Export,
    mat_version: MatVersion = "7.3",
    *,
    append_shape: bool = False,
    overwrite: bool = False,
) -> Path:
    """Writes the patterns in the format of the path's suffix; returns the path, with the shape in its name if wanted.

    HDF5 holds them as `meas`, with what is known of the calibration as attributes that the readers take. A MATLAB file
    shows the same order of axes. Raises ConfigError for an unknown suffix and where the file exists and `overwrite` is
    False, ResourceError where it cannot be written or is too large for its format.
    """
    writers = {".h5": _hdf5, ".hdf5": _hdf5, ".npy": _npy, ".tif": _tiff, ".tiff": _tiff}
    suffix = path.suffix.lower()
    if suffix not in writers and suffix != ".mat":
        raise ConfigError(
            f"{path}: patterns are written as .h5, .hdf5, .npy, .tif, .tiff or .mat, by the name's ending"
        )
    if append_shape:
        path = path.with_name(f"{path.stem}_{'_'.join(map(str, export.shape))}{path.suffix}")
    if path.exists() and not overwrite:
        raise ConfigError(f"{path}: exists already; use --overwrite or another name")
    write = writers.get(suffix) or (_mat73 if mat_version == "7.3" else _mat5)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ResourceError(f"{path.parent}: the folder for the patterns cannot be made: {error}") from error
    with atomic_write(path) as sink:
        write(sink, export)
    return path


def _hdf5(sink: Sink, export: Export) -> None:
    with h5py.File(sink, "w") as file:
        dataset = _dataset(file, export.shape, (1,) * len(export.leading) + export.source.shape[1:])
        for number, pattern in enumerate(export.patterns()):
            dataset[np.unravel_index(number, export.leading)] = pattern
        known = export.source.calibration
        attributes = {
            "dk_invA": known.dk_inverse_angstrom,
            "scan_step_A": known.scan_step_angstrom,
            "energy_keV": known.energy_kev,
            "scan_shape": export.source.scan_shape,
        }
        dataset.attrs.update({name: value for name, value in attributes.items() if value is not None})


def _mat73(sink: Sink, export: Export) -> None:
    """HDF5 behind a header; MATLAB counts axes from the other end, so they are stored the other way round."""
    with h5py.File(sink, "w", userblock_size=USERBLOCK_BYTES) as file:
        dataset = _dataset(file, export.shape[::-1], export.source.shape[:0:-1] + (1,) * len(export.leading))
        for number, pattern in enumerate(export.patterns()):
            place = (..., *np.unravel_index(number, export.leading)[::-1])
            dataset[place] = pattern.T
        dataset.attrs["MATLAB_class"] = np.bytes_("single")
    sink.seek(0)
    sink.write(HEADER.ljust(124) + b"\x00\x02IM")


def _dataset(file: h5py.File, shape: tuple[int, ...], chunks: tuple[int, ...]) -> h5py.Dataset:
    return file.create_dataset(NAME, shape, np.float32, chunks=chunks, compression="gzip", shuffle=True)


def _mat5(sink: Sink, export: Export) -> None:
    from scipy.io import savemat

    size = 4 * math.prod(export.shape)
    if size > MAT5_BYTES:
        raise ResourceError(
            f"{size} bytes of patterns are more than the {MAT5_BYTES} that a MATLAB file of version 5 holds; "
            "take version 7.3"
        )
    savemat(Stream(sink), {NAME: np.concatenate([slab for _, slab in export.slabs()]).reshape(export.shape)})


def _npy(sink: Sink, export: Export) -> None:
    header = {"descr": np.dtype("<f4").str, "fortran_order": False, "shape": export.shape}
    np.lib.format.write_array_header_1_0(Stream(sink), header)
    for _, slab in export.slabs():
        sink.write(np.ascontiguousarray(slab, "<f4").data)


def _tiff(sink: Sink, export: Export) -> None:
    import tifffile

    large = 4 * math.prod(export.shape) > 2**32 - 2**25
    with tifffile.TiffWriter(cast(IO[bytes], Stream(sink)), bigtiff=large) as writer:
        writer.write(export.patterns(), shape=export.shape, dtype=np.float32, photometric="minisblack")
