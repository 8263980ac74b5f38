"""DECTRIS master files (Arina, Eiger): images in data_000001, data_000002, ..., most often links to other files.

Layout: DECTRIS FileWriter, NXmx; the microscope's pixel size in a file of the same name without "_master".
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ptycupy.data.readers.hdf5_access import Hdf5Array, OpenFile, open_file, translated
from ptycupy.data.readers.hdf5_layouts import Numbers
from ptycupy.data.stored import Attributes
from ptycupy.data.wrapped import Joined
from ptycupy.errors import DataError

log = logging.getLogger(__name__)

GROUP = "entry/data"
SPECIFIC = "entry/instrument/detector/detectorSpecific"
LISTED = 10


def part_names(file: Any) -> list[str]:
    """The numbered data sets of a master file in their order; empty where it is none."""
    group = file.get(GROUP)
    if not isinstance(group, h5py.Group):
        return []
    return sorted(name for name in group if re.fullmatch(r"data_\d{6}", name))


def join(path: Path, file: Any, numbers: Numbers, check: Callable[[Any, str], None]) -> Joined:
    """All images (N, y, x) of a master file; DataError with the files that are missing.

    `check` refuses a dataset that cannot be what it declares. `numbers` are what the master states elsewhere.
    """
    names = part_names(file)
    _require_files(path, file, names)
    shared = OpenFile(path)
    parts: list[Hdf5Array] = []
    for name in names:
        key = f"{GROUP}/{name}"
        dataset = _dataset(path, file, key)
        check(dataset, key)
        if len(dataset.shape) != 3 or (parts and (dataset.shape[1:], dataset.dtype) != _kind(parts[0])):
            raise DataError(f"{path}: {key} is {dataset.shape} {dataset.dtype}: no continuation of {names[0]}")
        parts.append(Hdf5Array(shared, dataset, key, Attributes()))
    count = sum(part.shape[0] for part in parts)
    attributes = Attributes(numbers | _scan(path, file, count) | _pixel_size(path))
    return Joined(path, GROUP, tuple(parts), attributes)


def _kind(part: Hdf5Array) -> tuple[tuple[int, ...], np.dtype[Any]]:
    return part.shape[1:], part.dtype


def _require_files(path: Path, file: Any, names: list[str]) -> None:
    links = [file[GROUP].get(name, getlink=True) for name in names]
    targets = dict.fromkeys(link.filename for link in links if isinstance(link, h5py.ExternalLink))
    missing = [name for name in targets if not (path.parent / name).is_file()]
    if missing:
        shown = ", ".join(missing[:LISTED]) + (f" and {len(missing) - LISTED} more" if len(missing) > LISTED else "")
        raise DataError(
            f"{path}: {len(missing)} of the {len(targets)} files with its images are missing in {path.parent}: {shown}"
        )


def _dataset(path: Path, file: Any, key: str) -> Any:
    try:
        entry = file[key]
    except (KeyError, OSError, RuntimeError) as error:
        link = file.get(key, getlink=True)
        if isinstance(link, h5py.ExternalLink):
            target = path.parent / link.filename
            with translated(target, link.path), open_file(target) as other:  # says what is wrong with it
                if link.path not in other:
                    raise DataError(f"{target}: no dataset {link.path!r}, which {path.name} links to") from error
        raise DataError(f"{path}: {key} cannot be opened ({error})") from error
    if not isinstance(entry, h5py.Dataset):
        raise DataError(f"{path}: {key} is no dataset")
    return entry


def _scan(path: Path, file: Any, count: int) -> Numbers:
    """Triggers and images per trigger, where both number more than one: lines and their positions."""
    triggers, images = (_integer(file.get(f"{SPECIFIC}/{name}")) for name in ("ntrigger", "nimages"))
    if triggers * images > count:
        log.warning("%s: %d images, but %d triggers of %d images each", path, count, triggers, images)
    return (
        {"scan_shape": (float(triggers), float(images))} if triggers > 1 < images and triggers * images == count else {}
    )


def _integer(entry: Any) -> int:
    if not isinstance(entry, h5py.Dataset) or entry.shape not in ((), (1,)) or entry.dtype.kind not in "iu":
        return 0
    return int(np.asarray(entry[()]).reshape(-1)[0])


def _pixel_size(path: Path) -> Numbers:
    """The scan step in angstrom by the microscope's own file beside the master."""
    beside = path.with_name(path.name.replace("_master", ""))
    if beside == path or not beside.is_file():
        return {}
    with translated(beside), open_file(beside) as file:
        entry = file.get("STEM Metadata")
        if entry is None or "Pixel Size" not in entry.attrs:
            return {}
        attribute = entry.attrs.get_id("Pixel Size")
        if attribute.get_type().get_class() != h5py.h5t.FLOAT or np.prod(attribute.shape or (1,)) > 8:
            return {}
        nanometres = float(np.asarray(entry.attrs["Pixel Size"]).reshape(-1)[0])
    return {"scan_step_A": 10 * nanometres} if nanometres > 0 else {}
