"""One module per file format; the registry that picks it by magic bytes or by extension."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from ptycupy.config import signatures
from ptycupy.data.files import file_size, find_file, open_binary
from ptycupy.data.readers.choice import ArrayInfo
from ptycupy.data.stored import StoredArray
from ptycupy.errors import DataError


@dataclass(frozen=True)
class ReaderOptions:
    """What a reader may be told about a file; `purpose` says whether diffraction patterns or any array is wanted."""

    key: str | None = None
    scan_shape: tuple[int, int] | None = None
    detector_shape: tuple[int, int] | None = None
    offset_bytes: int = 0
    gap_bytes: int | None = None
    purpose: Literal["patterns", "array"] = "patterns"


@dataclass(frozen=True)
class Format:
    """How a format is recognised and the function that opens it, "module:function"."""

    name: str
    opener: str
    suffixes: tuple[str, ...]
    magics: tuple[bytes, ...] = ()
    lister: str | None = None  # for files that may hold several arrays

    def list_arrays(self, path: Path) -> Sequence[ArrayInfo] | None:
        """Every array of this file, or None where the format has exactly one."""
        return None if self.lister is None else cast("Sequence[ArrayInfo]", _load(self.lister)(path))

    def open(self, path: Path, options: ReaderOptions) -> StoredArray:
        """The array of this file, never an empty one; imports its reader now."""
        array = cast("StoredArray", _load(self.opener)(path, options))
        if not array.shape or 0 in array.shape:
            name = f"{path}{f': {array.key}' if array.key else ''}"
            raise DataError(f"{name}: an array of shape {array.shape} holds no values that could be read")
        return array


def _load(name: str) -> Callable[..., Any]:
    module, function = name.split(":")
    return cast("Callable[..., Any]", getattr(importlib.import_module(f"ptycupy.data.readers.{module}"), function))


NPY_MAGIC = b"\x93NUMPY"
ZIP_MAGIC = b"PK\x03\x04"

FORMATS = (
    Format(
        "hdf5",
        "hdf5:open_array",
        (".h5", ".hdf5", ".hdf", ".he5", ".nxs", ".cxi", ".emd", ".hspy"),
        (signatures.HDF5,),
        "hdf5:list_arrays",
    ),
    Format("npy", "npy:open_array", (".npy",), (NPY_MAGIC,)),
    Format(
        "tiff",
        "tiff:open_array",
        (".tif", ".tiff", ".btf"),
        (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    ),
    Format("npz", "npz:open_array", (".npz",), (ZIP_MAGIC,), "npz:list_arrays"),
    Format("mat", "mat:open_array", (".mat",), (b"MATLAB 5.0",), "mat:list_arrays"),
    Format("mib", "mib:open_array", (".mib",), (b"MQ1,",)),
    Format("zarr", "zarr_store:open_array", (".zarr",), (), "zarr_store:list_arrays"),
    Format(
        "rosettasciio",
        "rosettasciio:open_array",
        (".dm3", ".dm4", ".blo", ".tvips", ".de5", ".ser", ".emi", ".mrc", ".app5", ".rpl"),
        (),
        "rosettasciio:list_arrays",
    ),
    Format("empad", "empad:open_array", (".raw",)),
)

_PICKLED = (".pt", ".pth", ".pkl", ".pickle", ".ckpt")
_USER_BLOCKS = (512, 1024, 2048, 4096)  # an HDF5 file may begin with a block that is not HDF5


def detect(path: Path, name: str = "auto") -> Format:
    """The format named, zarr for a folder, else that of the magic bytes, else of the extension; or DataError."""
    if name != "auto":
        return next(entry for entry in FORMATS if entry.name == name)
    if path.is_dir():
        return next(entry for entry in FORMATS if entry.name == "zarr")
    with open_binary(path) as stream:
        start = stream.read(_USER_BLOCKS[-1] + len(signatures.HDF5))
    suffix = path.suffix.lower()
    for entry in FORMATS:
        if start.startswith(entry.magics) and not (suffix in _PICKLED and start.startswith(ZIP_MAGIC)):
            return entry
    if suffix in _PICKLED:
        raise DataError(f"{path}: pickles run code when they are read and are refused; save the array as .npy or HDF5")
    if any(start[block : block + len(signatures.HDF5)] == signatures.HDF5 for block in _USER_BLOCKS):
        return FORMATS[0]
    for entry in FORMATS:
        if suffix in entry.suffixes:
            return entry
    known = "; ".join(f"{entry.name} ({', '.join(entry.suffixes)})" for entry in FORMATS)
    raise DataError(
        f"{path}: neither its first bytes nor its extension name a format that is read here ({file_size(path)} bytes); "
        f"known: {known}; data.format can name one"
    )


def open_stored(path: str | Path, options: ReaderOptions, name: str = "auto") -> StoredArray:
    """The array of a file with nothing but its headers read; DataError where it cannot be what it claims."""
    found = find_file(path)
    return detect(found, name).open(found, options)
