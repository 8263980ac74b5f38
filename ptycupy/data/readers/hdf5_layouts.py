"""What programs that write HDF5 call their patterns and where they keep the calibration.

HyperSpy (.hspy), NeXus (NXdata), EMD 1.0 (py4DSTEM, emdfile), EMD 0.x (Berkeley, Prismatic), DECTRIS. Sources: the
HyperSpy, NeXus (signal, default, axes) and EMD file format descriptions.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import h5py
import numpy as np

from ptycupy.data.readers.hdf5_text import text_attribute, text_dataset

Numbers = dict[str, float | tuple[float, ...]]

LENGTHS = {"a": 1.0, "å": 1.0, "angstrom": 1.0, "angstroms": 1.0, "nm": 10.0, "nanometer": 10.0, "um": 1e4,
           "µm": 1e4, "μm": 1e4, "mm": 1e7, "m": 1e10, "pm": 1e-2}  # fmt: skip  # in angstrom
ANGLES = {"mrad": 1.0, "rad": 1e3, "urad": 1e-3}  # in mrad
ENERGIES = {"ev": 1e-3, "kev": 1.0, "mev": 1e3, "v": 1e-3, "kv": 1.0}  # in keV


def preferred(file: Any, keys: Sequence[str]) -> list[str]:
    """Of several data sets those that the file's own conventions point at; empty where it has none."""
    for rule in (_hyperspy_signals, _emd_cubes, _nexus_default, _nexus_signals):
        found = [key for key in keys if key in set(rule(file, keys))]
        if found:
            return found
    return []


def is_velox(file: Any) -> bool:
    """Whether an open file has the layout of Velox, whose images are stacked along the last axis."""
    if "Version" not in file or not isinstance(file.get("Data/Image"), h5py.Group):
        return False
    stacks = list(file["Data/Image"].values())
    return bool(stacks) and all("Data" in stack and "Metadata" in stack for stack in stacks)


def calibration(dataset: Any) -> Numbers:
    """Energy, scan step and detector sampling of a dataset (..., slow, fast, ky, kx), as far as its file says them."""
    group = dataset.parent
    axes = _hyperspy_axes(group) or _dimensions(group) or _nexus_axes(group)
    if _prismatic(group) is not None:
        axes = [(step, unit.replace("n_m", "A")) for step, unit in axes]  # it writes angstroms and calls them nm
    return from_axes(axes, len(dataset.shape)) | _emd_calibration(group) | energy(group)


def energy(group: Any) -> Numbers:
    """The beam's energy by what lies in this group or in those above it."""
    stated = _energy(group)
    return {} if stated is None else {"energy_keV": stated}


def reciprocal(value: float, unit: str) -> tuple[str, float] | None:
    """A detector sampling under its name: 1/angstrom, or mrad where it is an angle; None for other units."""
    unit = _plain(unit)
    if unit in ANGLES:
        return "dk_mrad", value * ANGLES[unit]
    for length, angstrom in LENGTHS.items():
        if unit in (f"1/{length}", f"{length}^-1", f"{length}-1", f"{length}**-1", f"{length}⁻¹"):
            return "dk_invA", value / angstrom
    return None


def _plain(unit: str) -> str:
    """A unit without the decorations that EMD 0.x gives it: "[1_/_n_m]" is "1/nm"."""
    return unit.strip("[] ").replace("_", "").replace(" ", "").replace("Å", "a").lower()


# --- which data set -------------------------------------------------------------------------------------------
def _hyperspy_signals(file: Any, keys: Sequence[str]) -> list[str]:
    return [key for key in keys if key.startswith("Experiments/") and key.count("/") == 2 and key.endswith("/data")]


def _emd_cubes(file: Any, keys: Sequence[str]) -> list[str]:
    """Four-dimensional arrays under "data" in a group that is marked as an EMD array; else such of any rank."""
    marked = [key for key in keys if key.endswith("/data") and "emd_group_type" in file[key].parent.attrs]
    return [key for key in marked if len(file[key].shape) == 4] or marked


def _nexus_default(file: Any, keys: Sequence[str]) -> list[str]:
    """The signal at the end of the chain of `default` attributes."""
    place, names = file, []
    for _ in range(4):
        name = text_attribute(place, "default")
        if name is None or not isinstance(place.get(name), h5py.Group):
            break
        place = place[name]
        names.append(name)
    signal = text_attribute(place, "signal")
    return ["/".join([*names, signal]).replace("//", "/")] if signal is not None else []


def _nexus_signals(file: Any, keys: Sequence[str]) -> list[str]:
    """Every data set that its NXdata calls the signal, or that is marked so itself (before 2014)."""
    found = []
    for key in keys:
        dataset = file[key]
        named = text_attribute(dataset.parent, "signal") == key.rsplit("/", 1)[-1]
        if named or _number(dataset.attrs, "signal") == 1 or text_attribute(dataset, "signal") == "1":
            found.append(key)
    return found


# --- axes -----------------------------------------------------------------------------------------------------
Axes = list[tuple[float, str]]  # step and unit of each axis of the data


def _hyperspy_axes(group: Any) -> Axes:
    axes: Axes = []
    while isinstance(axis := group.get(f"axis-{len(axes)}"), h5py.Group):
        axes.append((_number(axis.attrs, "scale") or 0.0, text_attribute(axis, "units") or ""))
    return axes


def _dimensions(group: Any) -> Axes:
    """EMD: dim0, dim1, ... (1.0) or dim1, dim2, ... (0.x) with the coordinates, or the first two of them."""
    axes: Axes = []
    first = 0 if "dim0" in group else 1
    while isinstance(axis := group.get(f"dim{first + len(axes)}"), h5py.Dataset):
        axes.append((_step(axis), text_attribute(axis, "units") or ""))
    return axes


def _nexus_axes(group: Any) -> Axes:
    if "axes" not in group.attrs:
        return []
    kind = group.attrs.get_id("axes").get_type()
    if kind.get_class() != h5py.h5t.STRING or kind.is_variable_str():
        joined = text_attribute(group, "axes")
        names = joined.split(":") if joined else []
    else:
        values = np.atleast_1d(group.attrs["axes"])
        names = [value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value) for value in values]
    axes: Axes = []
    for name in names:
        axis = group.get(name)
        known = isinstance(axis, h5py.Dataset)
        axes.append((_step(axis), text_attribute(axis, "units") or "") if known else (0.0, ""))
    return axes


def _step(axis: Any) -> float:
    """The even spacing of an axis, else 0."""
    if len(axis.shape) != 1 or axis.shape[0] < 2 or axis.dtype.kind not in "iuf":
        return 0.0
    values = np.asarray(axis[: min(axis.shape[0], 64)], np.float64)
    steps = np.diff(values)
    even = np.isfinite(steps).all() and np.ptp(steps) <= 1e-3 * abs(steps[0])
    return abs(float(steps[0])) if even else 0.0


def from_axes(axes: Axes, rank: int) -> Numbers:
    """What the last four (or three) axes say: the last two must be of the detector, those before of the scan."""
    if len(axes) != rank or rank < 3:
        return {}
    numbers: Numbers = {}
    sampling = [reciprocal(step, unit) for step, unit in axes[-2:]]
    if sampling[0] and sampling[1] and sampling[0][0] == sampling[1][0] and sampling[0][1] > 0 and sampling[1][1] > 0:
        numbers[sampling[0][0]] = (sampling[0][1], sampling[1][1])
    steps = [step * LENGTHS.get(_plain(unit), 0.0) for step, unit in axes[-4:-2]]
    if len(steps) == 2 and all(step > 0 for step in steps):
        numbers["scan_step_A"] = (steps[0], steps[1])
    return numbers


# --- calibration ----------------------------------------------------------------------------------------------
def _emd_calibration(group: Any) -> Numbers:
    """py4DSTEM's calibration beside the array or in a bundle of the tree's root."""
    for place in _upwards(group):
        entry = place.get("metadatabundle/calibration", place.get("calibration"))
        if isinstance(entry, h5py.Group) and "Q_pixel_size" in entry:
            break
    else:
        return {}
    numbers: Numbers = {}
    size, unit = _scalar(entry, "Q_pixel_size"), text_dataset(entry, "Q_pixel_units")
    sampling = reciprocal(size, unit) if size and unit else None
    if sampling is not None:
        numbers[sampling[0]] = sampling[1]
    size, unit = _scalar(entry, "R_pixel_size"), text_dataset(entry, "R_pixel_units")
    if size and unit and LENGTHS.get(_plain(unit)):
        numbers["scan_step_A"] = size * LENGTHS[_plain(unit)]
    return numbers


def _energy(group: Any) -> float | None:
    """The beam's energy in keV: HyperSpy's and Prismatic's (kV), NeXus' incident_energy (eV unless it says else)."""
    microscope, simulation = group.get("metadata/Acquisition_instrument/TEM"), _prismatic(group)
    for place, name in ((microscope, "beam_energy"), (simulation, "E")):
        if isinstance(place, h5py.Group) and (stated := _number(place.attrs, name)):
            return stated
    for place in _upwards(group):
        for name in ("instrument/beam/incident_energy", "sample/beam/incident_energy", "instrument/beam/energy"):
            value = _scalar(place, name)
            if value:
                unit = _plain(text_attribute(place[name], "units") or "eV")
                return value * ENERGIES[unit] if unit in ENERGIES else None
    return None


def _prismatic(group: Any) -> Any:
    """Prismatic's group of what it simulated, where one of the groups above is its own; else None."""
    for place in _upwards(group):
        found = place.get("metadata/metadata_0/original/simulation_parameters")
        if isinstance(found, h5py.Group):
            return found
    return None


def _upwards(group: Any) -> Iterator[Any]:
    for _ in range(16):
        yield group
        if group.name in ("/", None):
            return
        group = group.parent


def _scalar(group: Any, name: str) -> float | None:
    """A positive number that is a dataset of its own, else None."""
    entry = group.get(name)
    if not isinstance(entry, h5py.Dataset) or entry.shape not in ((), (1,)) or entry.dtype.kind not in "iuf":
        return None
    value = float(np.asarray(entry[()]).reshape(-1)[0])
    return value if math.isfinite(value) and value > 0 else None


def _number(attributes: Any, name: str) -> float | None:
    """An attribute that is one positive finite number, else None."""
    if name not in attributes:
        return None
    kind = attributes.get_id(name)
    if kind.get_type().get_class() not in (h5py.h5t.INTEGER, h5py.h5t.FLOAT) or kind.shape not in ((), (1,)):
        return None
    value = float(np.asarray(attributes[name]).reshape(-1)[0])
    return value if math.isfinite(value) and value > 0 else None
