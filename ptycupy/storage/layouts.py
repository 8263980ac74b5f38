"""The same arrays as PtyRAD 1.0.0, phaserEM 0.3.1 and NeXus browsers look for them: hard links wherever possible.

PtyRAD reads a file as one nested dictionary, so nothing here may be empty, dangling or cyclic.
"""

from __future__ import annotations

import json
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ptycupy.storage.snapshot import Snapshot

PTYRAD_NAMES = {
    "object_amplitude": "obja",
    "object_phase": "objp",
    "probe": "probe",
    "shifts": "probe_pos_shifts",
    "tilts": "obj_tilts",
    "slice_thickness": "slice_thickness",
}
NONE = "__NONE__"  # how PtyRAD spells None


def write_ptyrad(file: h5py.File, snapshot: Snapshot) -> None:
    """PtyRAD's model file: optimizable_tensors, model_attributes and histories at the root.

    PtyRAD knows one thickness and one pixel size: a list of thicknesses appears as its mean, and unequal or unknown
    pixel sizes as NaN; positions include scan_affine. A probe that varies over the scan, descan, background, factors of
    patterns and changes of aberrations have no place there, nor in phaser's layout; /ptycupy has the exact values.
    """
    state, history = snapshot.state, snapshot.history
    tensors = file.create_group("optimizable_tensors")
    for name, theirs in PTYRAD_NAMES.items():
        if name != "slice_thickness" or np.ndim(state.slice_thickness) == 0:
            tensors[theirs] = _shared(file, f"state/{name}", getattr(state, name))
    if snapshot.nominal_positions is not None:
        del tensors["probe_pos_shifts"]
        tensors["probe_pos_shifts"] = snapshot.shifts
    if "slice_thickness" not in tensors:
        tensors["slice_thickness"] = np.float32(_mean_thickness(snapshot))
    pixel_size = _one_pixel_size(snapshot)
    window = state.probe.shape[-2:]
    step_k = 1 / (pixel_size * window[0]) if window[0] == window[1] else np.nan
    slow, fast = snapshot.scan_shape or (len(snapshot.corners), 1)
    attributes = file.create_group("model_attributes")
    attributes["crop_pos"] = _shared(file, "problem/corners", snapshot.corners)
    attributes["omode_occu"] = _shared(file, "problem/object_occupancy", snapshot.object_occupancy)
    attributes["slice_thickness"] = tensors["slice_thickness"]
    attributes["probe_int_sum"] = _shared(file, "problem/probe_intensity", snapshot.probe_intensity)
    attributes["detector_blur_std"] = _shared(file, "problem/detector_blur", snapshot.detector_blur)
    for name, value in {
        "dx": pixel_size,
        "dk": step_k,
        "lambd": np.nan if snapshot.wavelength is None else snapshot.wavelength,
        "N_scan_slow": slow,
        "N_scan_fast": fast,
        "meas_Npix": snapshot.detector_shape[0],
        "simu_Npix": window[0],
        "tilt_obj": bool(np.any(np.asarray(state.tilts) != 0)),
        "scan_affine": NONE,
    }.items():
        attributes[name] = value
    file["indices"] = _shared(file, "problem/used", snapshot.used)
    file["niter"] = _shared(file, "iteration", snapshot.iteration)
    file["ptyrad_version"] = "1.0.0"  # the layout, not the writer
    file["optim_state_dict"] = NONE
    file["params/ptycupy_config"] = snapshot.config
    numbers = np.asarray(history.iterations, np.float64)
    file["loss_iters"] = np.column_stack([numbers, np.asarray(history.total, np.float64)])
    file["iter_times"] = _shared(file, "history/seconds", np.asarray(history.seconds, np.float64))
    file["avg_iter_t"] = float(np.mean(history.seconds)) if history.seconds else np.nan
    file["dz_iters"] = np.column_stack([numbers, np.asarray(history.slice_thickness, np.float64)])
    tilts = np.asarray(history.mean_tilt, np.float64).reshape(-1, 2)
    for name, values in {"niter": numbers.astype(np.int64), "tilt_y": tilts[:, 0], "tilt_x": tilts[:, 1]}.items():
        file[f"avg_tilt_iters/{name}"] = values
    file["lr_iters/niter"] = _shared(file, "history/iterations", numbers.astype(np.int64))
    for name, rates in history.learning_rates.items():
        shared = _shared(file, f"history/learning_rates/{name}", np.asarray(rates, np.float64))
        file[f"lr_iters/{PTYRAD_NAMES.get(name, name)}"] = shared
    file.create_group("avg_losses")
    for name, terms in history.losses.items():
        if terms:
            file[f"avg_losses/{name}"] = terms[-1]


def write_phaser(file: h5py.File, snapshot: Snapshot) -> None:
    """phaser's state tree, version 0.2: lengths in angstrom, or px where nothing is calibrated.

    phaser has one complex object [z, y, x]: several object modes appear as their occupancy-weighted mean. A
    position there is the middle of the probe window, (n - 1)/2 px from its corner; the object's corner is 0.
    """
    state = snapshot.state
    unit = "px" if snapshot.pixel_size is None else "angstrom"
    step = np.asarray(snapshot.pixel_size or (1.0, 1.0), np.float64)
    meta = json.dumps({"length_unit": unit, "object_modes": int(state.object_phase.shape[0])})
    window = np.asarray(state.probe.shape[-2:])
    file["type"] = "phaser_state"
    file["version"] = "0.2"
    file["wavelength"] = np.float64(np.nan if snapshot.wavelength is None else snapshot.wavelength)

    probe = file.create_group("probe")
    probe["type"] = "pixelated"
    probe["data"] = _shared(file, "state/probe", state.probe)
    probe["sampling"] = step
    probe["extent"] = step * window
    probe["meta"] = meta

    positions = (snapshot.corners + np.asarray(snapshot.shifts, np.float64) + (window - 1) / 2) * step
    first = (np.asarray(snapshot.initial_positions, np.float64) + (window - 1) / 2) * step
    count = len(positions)
    shape = snapshot.scan_shape if snapshot.scan_shape and np.prod(snapshot.scan_shape) == count else (count,)
    scan = file.create_group("scan")
    scan["data"] = positions.reshape(*shape, 2)
    scan["initial"] = first.reshape(*shape, 2)
    scan["tilt"] = np.broadcast_to(np.asarray(state.tilts, np.float64), (count, 2)).reshape(*shape, 2)
    scan["meta"] = meta

    target = file.create_group("object")
    target["type"] = "pixelated"
    data = target.create_dataset("data", state.object_phase.shape[1:], np.complex64)
    for index in range(data.shape[0]):  # a slice at a time: the complex object never exists in memory
        data[index] = mean_transmission(snapshot, index)
    target["thicknesses"] = _phaser_thicknesses(snapshot)
    target["sampling"] = step
    target["extent"] = step * data.shape[1:]
    target["corner"] = np.zeros(2)
    target["region_min"] = positions[snapshot.used].min(axis=0)
    target["region_max"] = positions[snapshot.used].max(axis=0)
    target["meta"] = meta

    for name in ("engine_num", "engine_iter", "total_iter"):
        file[f"iter/{name}"] = np.uint64(1 if name == "engine_num" else snapshot.iteration)
    for name, values in {"total_loss": snapshot.history.total, **snapshot.history.losses}.items():
        file[f"progress/{name}/iters"] = _shared(
            file, "history/iterations", np.asarray(snapshot.history.iterations, np.int64)
        )
        file[f"progress/{name}/values"] = np.asarray(values, np.float64)


def write_nexus(file: h5py.File, snapshot: Snapshot) -> None:
    """NeXus attributes and one NXdata per thing to look at; the default plot is the phase summed over slices."""
    unit = "px" if snapshot.pixel_size is None else "angstrom"
    step = snapshot.pixel_size or (1.0, 1.0)
    phase = snapshot.state.object_phase
    file.attrs["NX_class"] = "NXroot"
    file.attrs["creator"] = "ptycupy"
    file.attrs["default"] = "entry"
    entry = file.create_group("entry")
    entry.attrs["NX_class"] = "NXentry"
    entry.attrs["default"] = "phase"
    entry["title"] = "ptychographic reconstruction"
    entry["program_name"] = "ptycupy"

    summed = _plot(entry, "phase", "phase_sum", ("y", "x"))
    weights = np.asarray(snapshot.object_occupancy, np.float64)
    image = np.einsum("o,ozyx->yx", weights / weights.sum(), phase, optimize=True)
    summed["phase_sum"] = image.astype(np.float32)
    summed["phase_sum"].attrs.update(units="rad", long_name="phase summed over slices")
    axes = {"y": np.arange(phase.shape[-2]) * step[0], "x": np.arange(phase.shape[-1]) * step[1]}
    for name, values in axes.items():
        summed[name] = values
        summed[name].attrs["units"] = unit

    volume = _plot(entry, "object", "phase", ("mode", "z", "y", "x"))
    volume["phase"] = file["ptycupy/state/object_phase"]
    volume["amplitude"] = file["ptycupy/state/object_amplitude"]
    volume.attrs["auxiliary_signals"] = ["amplitude"]
    volume["mode"] = np.arange(phase.shape[0])
    volume["z"] = slice_depths(snapshot)
    volume["z"].attrs["units"] = "angstrom"
    volume["y"], volume["x"] = summed["y"], summed["x"]

    probe = _plot(entry, "probe", "wave", (".", ".", "."))
    probe["wave"] = file["ptycupy/state/probe"]
    loss = _plot(entry, "loss", "total", ("iteration",))
    loss["total"] = file["ptycupy/history/total"]
    loss["iteration"] = file["ptycupy/history/iterations"]


def mean_transmission(snapshot: Snapshot, index: int) -> NDArray[np.complex64]:
    """One slice [y, x] as a complex transmission: amplitude and phase are each the modes' mean, by occupancy."""
    weights = np.asarray(snapshot.object_occupancy, np.float32)
    weights = weights / weights.sum()
    amplitude = np.tensordot(weights, snapshot.state.object_amplitude[:, index], 1)
    phase = np.tensordot(weights, snapshot.state.object_phase[:, index], 1)
    return np.asarray(amplitude * np.exp(1j * phase), np.complex64)


def slice_depths(snapshot: Snapshot) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Depth of every slice below the first one, angstrom [z]."""
    slices = snapshot.state.object_phase.shape[1]
    gaps = np.broadcast_to(np.asarray(snapshot.state.slice_thickness, np.float64), (max(slices - 1, 0),))
    return np.concatenate([[0.0], np.cumsum(gaps)])


def _shared(file: h5py.File, key: str, value: Any) -> Any:
    """What result.h5 has under /ptycupy already, to be linked; a file for another program alone has only the value."""
    return file.get(f"ptycupy/{key}", value)


def _plot(entry: h5py.Group, name: str, signal: str, axes: tuple[str, ...]) -> h5py.Group:
    group = entry.create_group(name)
    group.attrs["NX_class"] = "NXdata"
    group.attrs["signal"] = signal
    group.attrs["axes"] = list(axes)
    return group


def _mean_thickness(snapshot: Snapshot) -> float:
    thickness = np.asarray(snapshot.state.slice_thickness, np.float64)
    return float(thickness.mean()) if thickness.size else 0.0


def _phaser_thicknesses(snapshot: Snapshot) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """One per slice; the last one, which no wave crosses, repeats the one before. Empty for a single slice."""
    slices = snapshot.state.object_phase.shape[1]
    if slices == 1:
        return np.zeros(0)
    gaps = np.broadcast_to(np.asarray(snapshot.state.slice_thickness, np.float64), (slices - 1,))
    return np.append(gaps, gaps[-1])


def _one_pixel_size(snapshot: Snapshot) -> float:
    if snapshot.pixel_size is None or not np.isclose(*snapshot.pixel_size, rtol=1e-6):
        return float("nan")
    return snapshot.pixel_size[0]
