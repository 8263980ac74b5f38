"""CXI 1.6 (cxidb.org): the probe as image_1, the object as image_2, SI units.

CXI has no place for slices' distances and for where the object lies; they are where ptychodus 1.7 keeps them, under
entry_1/ptychodus. Positions are (x, y, z) of window middles about the object's middle. The energy is that of a photon
of the wavelength, also for electrons; the detector's distance is nominal.
"""

from __future__ import annotations

import h5py
import numpy as np
from numpy.typing import NDArray

from ptycupy.storage.atomic import Sink
from ptycupy.storage.export.product import JOULE_PER_EV, NOMINAL_DISTANCE, Product, product
from ptycupy.storage.snapshot import Snapshot

VERSION = 160
ENTRY = "entry_1"
EXTENSION = f"{ENTRY}/ptychodus"


def write(sink: Sink, snapshot: Snapshot) -> None:
    """One entry."""
    found = product(snapshot, "CXI")
    with h5py.File(sink, "w") as file:
        file["cxi_version"] = VERSION
        file[f"{ENTRY}/title"] = "ptycupy"
        file[f"{ENTRY}/process_1/program"] = "ptycupy"
        file[f"{ENTRY}/instrument_1/source_1/energy"] = found.photon_ev * JOULE_PER_EV
        file[f"{ENTRY}/instrument_1/detector_1/distance"] = NOMINAL_DISTANCE
        file[f"{ENTRY}/sample_1/geometry_1/translation"] = np.stack([found.x, found.y, np.zeros_like(found.x)], axis=1)
        link = h5py.SoftLink(f"/{ENTRY}/sample_1/geometry_1/translation")
        file.create_group(f"{ENTRY}/data_1")["translation"] = link
        _write_image(file, "image_1", found.probe, "coherent:incoherent:y:x", found)
        _write_image(file, "image_2", found.object, "layer:y:x", found)
        _write_extension(file, found)


def _write_image(file: h5py.File, name: str, values: NDArray[np.complex64], axes: str, found: Product) -> None:
    image = file.create_group(f"{ENTRY}/{name}")
    image["data"] = values
    image["data"].attrs["axes"] = axes
    image["data_type"] = "amplitude" if name == "image_1" else "electron density"
    image["data_space"] = "real"
    height, width = np.asarray(values.shape[-2:]) * found.pixel_size
    image["image_size"] = np.array([width, height, 0.0])
    image["source_1"] = h5py.SoftLink(f"/{ENTRY}/instrument_1/source_1")
    image["detector_1"] = h5py.SoftLink(f"/{ENTRY}/instrument_1/detector_1")


def _write_extension(file: h5py.File, found: Product) -> None:
    extension = file.create_group(EXTENSION)
    for owner in ("probe", "object"):
        extension[f"{owner}_pixel_height_m"], extension[f"{owner}_pixel_width_m"] = found.pixel_size
    extension["object_center_x_m"] = extension["object_center_y_m"] = 0.0
    extension["probe_position_indexes"] = np.arange(len(found.y))
    extension["probe_photon_count"] = found.intensity
    if found.spacing.size:
        extension["object_layer_spacing_m"] = found.spacing
    if found.epochs.size:
        extension["loss_epochs"], extension["loss_values"] = found.epochs, found.losses
