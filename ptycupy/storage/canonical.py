"""The /ptycupy tree: everything of a Snapshot, exactly, each dataset with its checksum."""

from __future__ import annotations

import json
import zlib
from dataclasses import asdict
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ptycupy.errors import DataError
from ptycupy.experiment.state import FIELDS, OPTIONAL_FIELDS, State
from ptycupy.storage.snapshot import Change, History, Moments, Snapshot

FORMAT_VERSION = 2  # 1 had moments `first` and `second` alone, which is a case of 2
UNITS = {
    "object_phase": "rad", "shifts": "px", "tilts": "mrad", "slice_thickness": "angstrom", "descan": "px",
    "aberrations": "angstrom", "scan_affine": "1, 1, degrees, degrees",
}  # fmt: skip


_PROBLEM = (
    "corners", "object_occupancy", "used", "initial_positions", "detector_shape", "detector_blur", "propagator",
    "probe_intensity", "data_fingerprint",
)  # fmt: skip


def write(root: h5py.Group, snapshot: Snapshot) -> None:
    """Fills an empty group; `root.attrs["complete"]` is the very last thing written."""
    root.attrs["format_version"] = FORMAT_VERSION
    root.attrs["written_by"] = snapshot.versions.get("ptycupy", "")
    state = root.create_group("state")  # a field that is absent is not part of the model
    for name, values in snapshot.state.items():
        _put(state, name, values)
        if name in UNITS:
            state[name].attrs["units"] = UNITS[name]
    problem = root.create_group("problem")
    for name in _PROBLEM:
        _put(problem, name, getattr(snapshot, name))
    for name in ("pixel_size", "wavelength", "scan_shape", "nominal_positions"):  # absent means None
        if getattr(snapshot, name) is not None:
            _put(problem, name, getattr(snapshot, name))
    for name in ("iteration", "learning_rate_factor", "batch_losses", "generator", "config"):
        _put(root, name, getattr(snapshot, name))
    pending = root.create_group("pending")
    for index, batch in enumerate(snapshot.pending):
        _put(pending, f"{index:06d}", batch)
    _put(root, "versions", json.dumps(snapshot.versions))
    if snapshot.changes:
        _put(root, "changes", json.dumps([asdict(change) for change in snapshot.changes]))
    _write_history(root.create_group("history"), snapshot.history)
    moments = root.create_group("moments")
    for name, moment in snapshot.moments.items():
        group = moments.create_group(name)
        for key, array in moment.arrays.items():
            _put(group, key, array)
        scalars = group.create_group("scalars")
        for key, number in moment.scalars.items():
            _put(scalars, key, number)
        _put(group, "step", moment.step)
    root.attrs["complete"] = True


def read(root: h5py.Group) -> Snapshot:
    """The Snapshot of a group written by `write`; DataError where a checksum differs or the group is incomplete."""
    check_format(root)
    problem = root["problem"]
    pixel_size = _floats(_take(problem, "pixel_size")) if "pixel_size" in problem else None
    scan_shape = _integers(_take(problem, "scan_shape")) if "scan_shape" in problem else None
    detector_shape = _integers(_take(problem, "detector_shape"))
    return Snapshot(
        state=State(**{name: _state_field(root["state"], name) for name in FIELDS}),
        corners=_take(problem, "corners"),
        pixel_size=None if pixel_size is None else (pixel_size[0], pixel_size[1]),
        wavelength=float(_take(problem, "wavelength")) if "wavelength" in problem else None,
        object_occupancy=_take(problem, "object_occupancy"),
        detector_shape=(detector_shape[0], detector_shape[1]),
        scan_shape=None if scan_shape is None else (scan_shape[0], scan_shape[1]),
        detector_blur=float(_take(problem, "detector_blur")),
        propagator=_text(problem, "propagator"),
        used=_take(problem, "used"),
        initial_positions=_take(problem, "initial_positions"),
        nominal_positions=_take(problem, "nominal_positions") if "nominal_positions" in problem else None,
        probe_intensity=float(_take(problem, "probe_intensity")),
        iteration=int(_take(root, "iteration")),
        history=_read_history(root["history"]),
        moments={name: _read_moments(group) for name, group in root["moments"].items()},
        learning_rate_factor=float(_take(root, "learning_rate_factor")),
        pending=tuple(_take(root["pending"], name) for name in sorted(root["pending"])),
        batch_losses=_take(root, "batch_losses"),
        generator=_text(root, "generator"),
        data_fingerprint=_text(problem, "data_fingerprint"),
        config=_text(root, "config"),
        versions=json.loads(_text(root, "versions")),
        changes=tuple(Change(**one) for one in json.loads(_text(root, "changes"))) if "changes" in root else (),
    )


def _state_field(group: h5py.Group, name: str) -> NDArray[Any] | None:
    return None if name in OPTIONAL_FIELDS and name not in group else _take(group, name)


def check_format(root: h5py.Group) -> None:
    """Refuses a tree of a newer ptycupy, or one whose last mark is missing."""
    version = int(root.attrs.get("format_version", 0))
    if version > FORMAT_VERSION:
        raise DataError(
            f"written by ptycupy {root.attrs.get('written_by', '?')} in format {version}, but this ptycupy reads "
            f"formats up to {FORMAT_VERSION}: update ptycupy"
        )
    if not root.attrs.get("complete", False):
        raise DataError("incomplete: the mark that ends a finished file is missing")


def _write_history(group: h5py.Group, history: History) -> None:
    for name in ("iterations", "patterns"):
        _put(group, name, np.asarray(getattr(history, name), np.int64))
    for name in ("total", "seconds", "slice_thickness"):
        _put(group, name, np.asarray(getattr(history, name), np.float64))
    _put(group, "mean_tilt", np.asarray(history.mean_tilt, np.float64).reshape(-1, 2))
    for name in ("losses", "learning_rates"):
        series = group.create_group(name)
        for key, values in getattr(history, name).items():
            _put(series, key, np.asarray(values, np.float64))


def _read_history(group: h5py.Group) -> History:
    return History(
        iterations=_take(group, "iterations").tolist(),
        losses={key: _take(group["losses"], key).tolist() for key in group["losses"]},
        total=_take(group, "total").tolist(),
        seconds=_take(group, "seconds").tolist(),
        learning_rates={key: _take(group["learning_rates"], key).tolist() for key in group["learning_rates"]},
        slice_thickness=_take(group, "slice_thickness").tolist(),
        mean_tilt=[(tilt_y, tilt_x) for tilt_y, tilt_x in _take(group, "mean_tilt").tolist()],
        patterns=_take(group, "patterns").tolist() if "patterns" in group else [],
    )


def _read_moments(group: h5py.Group) -> Moments:
    """Every dataset but `step` is an array; format 1 had no scalars."""
    return Moments(
        arrays={key: _take(group, key) for key in group if key not in ("scalars", "step")},
        scalars={key: float(_take(group["scalars"], key)) for key in group.get("scalars", ())},
        step=int(_take(group, "step")),
    )


def _put(group: h5py.Group, name: str, value: Any) -> None:
    if isinstance(value, str):
        dataset = group.create_dataset(name, data=value, dtype=h5py.string_dtype("utf-8"))
        dataset.attrs["crc32"] = np.uint32(zlib.crc32(value.encode()))
        return
    array = np.asarray(value)
    dataset = group.create_dataset(name, data=array)
    dataset.attrs["crc32"] = np.uint32(_checksum(array))


def _take(group: h5py.Group, name: str) -> NDArray[Any]:
    array = np.asarray(group[name][()])
    if _checksum(array) != int(group[name].attrs["crc32"]):
        raise DataError(f"dataset {group.name}/{name} is damaged: its checksum does not fit its values")
    return array


def _text(group: h5py.Group, name: str) -> str:
    encoded: bytes = group[name][()]
    if zlib.crc32(encoded) != int(group[name].attrs["crc32"]):
        raise DataError(f"text {group.name}/{name} is damaged: its checksum does not fit its characters")
    return encoded.decode()


def _checksum(array: NDArray[Any]) -> int:
    return zlib.crc32(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)


def _integers(values: NDArray[Any]) -> tuple[int, ...]:
    return tuple(int(value) for value in values)


def _floats(values: NDArray[Any]) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
