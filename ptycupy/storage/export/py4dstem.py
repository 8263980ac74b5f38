"""Reconstructions of py4DSTEM 0.14 in EMD 1.0 files, as its own `save` writes and `read` makes objects of.

The class is chosen by slices and probe modes. The probe has its middle in the corner of its array; positions are those
of window centres, n // 2 px from the corner. Its tilts have the other sign, and are one for the whole scan.
"""

from __future__ import annotations

import math
import uuid
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ptycupy.experiment.optics import electron_kilovolts
from ptycupy.storage.atomic import Sink
from ptycupy.storage.export.product import Calibrated, calibrated, corners, gaps, transmission
from ptycupy.storage.snapshot import Snapshot

NAME = "ptycupy"
ABERRATIONS = ("C10", "C12", "C21", "C23", "C30", "C32", "C34", "C41", "C43", "C45", "C50", "C52", "C54", "C56")
ANGLES = ("phi12", "phi21", "phi23", "phi32", "phi34", "phi41", "phi43", "phi45", "phi52", "phi54", "phi56")
CLASSES = {
    (False, False): "SingleslicePtychography",
    (False, True): "MixedstatePtychography",
    (True, False): "MultislicePtychography",
    (True, True): "MixedstateMultislicePtychography",
}


def write(sink: Sink, snapshot: Snapshot) -> None:
    """One EMD tree with one reconstruction."""
    known = calibrated(snapshot, "py4DSTEM")
    volume = transmission(snapshot)
    probe = np.fft.ifftshift(np.asarray(snapshot.state.probe, np.complex64), axes=(-2, -1))
    sliced, mixed = len(volume) > 1, len(probe) > 1
    with h5py.File(sink, "w") as file:
        file.attrs.update(emd_group_type="file", version_major=1, version_minor=0, UUID=str(uuid.uuid4()))
        file.attrs.update(authoring_program="ptycupy", authoring_user="")
        root = _node(file, f"{NAME}_root", "root", "Root")
        node = _node(root, NAME, "custom", CLASSES[sliced, mixed])
        _array(node, "_object_emd", volume if sliced else volume[0])
        _array(node, "_probe_emd", probe if mixed else probe[0])
        bundle = node.create_group("metadatabundle")
        bundle.attrs["emd_group_type"] = "metadatabundle"
        _metadata(bundle, "aberrations_metadata", dict.fromkeys((*ABERRATIONS, *ANGLES), 0.0))
        _metadata(bundle, "instantiation_metadata", _instantiation(snapshot, known, sliced, mixed))
        _metadata(bundle, "preprocess_metadata", _preprocessing(snapshot, known))
        errors = [float(value) for value in snapshot.history.total] or [math.nan]  # its reader takes the last one
        _metadata(bundle, "reconstruction_metadata", {"reconstruction_error": errors})


def _instantiation(snapshot: Snapshot, known: Calibrated, sliced: bool, mixed: bool) -> dict[str, Any]:
    window = np.asarray(snapshot.state.probe.shape[-2:])
    parts = {
        "energy": 1e3 * electron_kilovolts(known.wavelength),
        "semiangle_cutoff": None,
        "rolloff": 2.0,
        "object_padding_px": None,
        "object_fov_ang": None,
        "object_type": "complex",
        "verbose": False,
        "device": "cpu",
        "storage": "cpu",
        "clear_fft_cache": True,
        "name": NAME,
        "vacuum_probe_intensity": None,
        "positions": (corners(snapshot) + window // 2) * known.pixel_size,
    }
    if mixed:
        parts["num_probes"] = len(snapshot.state.probe)
    if sliced:
        tilt_y, tilt_x = -np.mean(np.asarray(snapshot.state.tilts, np.float64), axis=0)
        parts |= {"num_slices": snapshot.state.object_phase.shape[1], "slice_thicknesses": gaps(snapshot)}
        parts |= {"theta_x": float(tilt_y), "theta_y": float(tilt_x)}  # its x is the first axis
    return parts


def _preprocessing(snapshot: Snapshot, known: Calibrated) -> dict[str, Any]:
    window = np.asarray(snapshot.state.probe.shape[-2:])
    angles = known.wavelength * 1e3 / (window * known.pixel_size)
    return {
        "rotation_angle_rad": 0.0,
        "data_transpose": False,
        "positions_px": (corners(snapshot) + window // 2).astype(np.float32),
        "region_of_interest_shape": window,
        "amplitudes_shape": np.asarray(snapshot.detector_shape),
        "num_diffraction_patterns": len(snapshot.corners),
        "sampling": known.pixel_size,
        "angular_sampling": (float(angles[0]), float(angles[1])),
        "positions_mask": None,
    }


def _node(parent: h5py.Group, name: str, kind: str, python_class: str) -> h5py.Group:
    group = parent.create_group(name)
    group.attrs.update(emd_group_type=kind, python_class=python_class)
    return group


def _array(parent: h5py.Group, name: str, values: NDArray[np.complex64]) -> None:
    group = _node(parent, name, "custom_array", "Array")
    group["data"] = values
    group["data"].attrs["units"] = ""
    for axis in range(values.ndim):
        group[f"dim{axis}"] = np.array([0, 1])
        group[f"dim{axis}"].attrs.update(name=f"dim{axis}", units="pixels")


def _metadata(parent: h5py.Group, name: str, parts: dict[str, Any]) -> None:
    """Values that say with an attribute what they are, as emdfile asks."""
    group = _node(parent, name, "metadata", "Metadata")
    kinds = {type(None): "None", str: "string", bool: "bool", tuple: "tuple", list: "list", np.ndarray: "array"}
    for key, value in parts.items():
        text = "_None" if value is None else value
        group[key] = text.encode() if isinstance(text, str) else text
        group[key].attrs["type"] = kinds.get(type(value), "number").encode()
