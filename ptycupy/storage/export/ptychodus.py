"""Product files of ptychodus 1.7: HDF5 with attributes, or the same names in one .npz.

An object (layer, y, x), a probe (coherent, incoherent, y, x), positions in metres of window middles about the object's
middle, which is at 0. The energy is that of a photon of the wavelength, also for electrons; the distance is nominal.
"""

from __future__ import annotations

from typing import Any

import h5py
import numpy as np

from ptycupy.storage.atomic import Sink
from ptycupy.storage.export.product import NOMINAL_DISTANCE, Product, product
from ptycupy.storage.snapshot import Snapshot
from ptycupy.storage.stream import Stream

PROGRAM = "ptychodus"


def write_hdf5(sink: Sink, snapshot: Snapshot) -> None:
    """The file that ptychodus calls a product, HDF5."""
    found = product(snapshot, PROGRAM)
    with h5py.File(sink, "w") as file:
        file.attrs.update(_metadata(found))
        for name, values in _arrays(found).items():
            file[name] = values
        sizes = {"pixel_height_m": found.pixel_size[0], "pixel_width_m": found.pixel_size[1]}
        file["object"].attrs.update({**sizes, "center_x_m": 0.0, "center_y_m": 0.0})
        file["probe"].attrs.update(sizes)


def write_npz(sink: Sink, snapshot: Snapshot) -> None:
    """The same as NumPy's archive."""
    found = product(snapshot, PROGRAM)
    sizes = {"pixel_height_m": found.pixel_size[0], "pixel_width_m": found.pixel_size[1]}
    prefixed = {f"{owner}_{name}": value for owner in ("object", "probe") for name, value in sizes.items()}
    centre = {"object_center_x_m": 0.0, "object_center_y_m": 0.0}
    np.savez(Stream(sink), **{**_metadata(found), **_arrays(found), **prefixed, **centre})


def _metadata(found: Product) -> dict[str, Any]:
    unknown = ("exposure_time_s", "mass_attenuation_m2_per_kg", "tomography_angle_deg", "focus_object_distance_m")
    return {
        "name": "ptycupy",
        "comments": "",
        "detector_object_distance_m": NOMINAL_DISTANCE,
        "photon_energy_eV": found.photon_ev,
        "probe_photon_count": found.intensity,
        "tilt_angle_deg": 0.0,
        "far_field": True,
        **dict.fromkeys(unknown, 0.0),
    }


def _arrays(found: Product) -> dict[str, Any]:
    return {
        "object": found.object,
        "probe": found.probe,
        "object_layer_spacing_m": found.spacing,
        "probe_position_indexes": np.arange(len(found.y)),
        "probe_position_x_m": found.x,
        "probe_position_y_m": found.y,
        "loss_epochs": found.epochs,
        "loss_values": found.losses,
    }
