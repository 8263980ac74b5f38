"""Files of PtyPy, .ptyr, of the kind "minimal": storages of object and probe, and positions, in metres (y, x).

PtyPy's object is (mode, y, x) of one slice: several slices are written as their product. A position is that of a
window's centre, n // 2 px from its corner, in the object's coordinates, whose 0 is its pixel n // 2. The energy is that
of a photon of the wavelength, also for electrons.
"""

from __future__ import annotations

from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ptycupy.experiment.results.earlier import METRE
from ptycupy.storage.atomic import Sink
from ptycupy.storage.export.product import calibrated, corners
from ptycupy.storage.snapshot import Snapshot

STORAGE = "Sscan00G00"


def write(sink: Sink, snapshot: Snapshot) -> None:
    """One storage each for object and probe."""
    known = calibrated(snapshot, "PtyPy")
    size = np.asarray(known.pixel_size) / METRE
    state = snapshot.state
    projected = np.prod(state.object_amplitude, axis=1) * np.exp(1j * np.sum(state.object_phase, axis=1))
    window = np.asarray(state.probe.shape[-2:])
    centres = corners(snapshot) + window // 2 - np.asarray(projected.shape[-2:]) // 2
    tree: dict[str, Any] = {
        "header": {"kind": "minimal", "description": "Ptypy .h5 compatible storage format"},
        "content": {
            "obj": {STORAGE: _storage(projected.astype(np.complex64), size)},
            "probe": {STORAGE: _storage(np.asarray(state.probe, np.complex64), size)},
            "positions": {STORAGE: centres * size},
            "pars": {"scans": {"scan00": {"data": {"energy": known.photon_kev}}}},
        },
    }
    with h5py.File(sink, "w") as file:
        file.attrs["h5rw_version"] = "0.1"
        _put(file, tree)


def _storage(data: NDArray[Any], size: NDArray[np.float64]) -> dict[str, Any]:
    """What PtyPy makes a Storage of: its buffer, and where its pixels are."""
    centre = np.asarray(data.shape[-2:]) // 2
    return {
        "ID": STORAGE,
        "numID": 1,
        "data": data,
        "shape": np.asarray(data.shape),
        "layermap": np.arange(len(data)),
        "nlayers": len(data),
        "_psize": size,
        "_center": centre.astype(np.float64),
        "_origin": -centre * size,
        "fill_value": 0.0,
        "padding": 0,
    }


def _put(group: h5py.Group, tree: dict[str, Any]) -> None:
    """Dictionaries as groups; every value says with an attribute what it is, as PtyPy's reader asks."""
    for name, value in tree.items():
        if isinstance(value, dict):
            child = group.create_group(name)
            child.attrs["type"] = "dict"
            _put(child, value)
        elif isinstance(value, str):
            group.create_dataset(name, data=value, dtype=h5py.string_dtype()).attrs["type"] = "string"
        else:
            kinds = {"shape": "arraytuple", "layermap": "arraylist"}
            group[name] = value
            group[name].attrs["type"] = kinds.get(name, "array" if np.ndim(value) else "scalar")
