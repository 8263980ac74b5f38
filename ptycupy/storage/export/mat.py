"""MATLAB files of version 5 as PtychoShelves and fold_slice save them: object, probe, outputs.probe_positions, p.

Axes are MATLAB's: object (Ny, Nx, Nz), probe (Ny, Nx, mode). Positions are (x, y) in px from the corner that centres
the probe in the object. fold_slice has metres for X-rays and angstrom for electrons; electrons are told by a wavelength
that X-rays do not have. What these programs have no name for is in the struct `ptycupy`, by its units.
"""

from __future__ import annotations

import numpy as np

from ptycupy.errors import ResourceError
from ptycupy.experiment.results.earlier import METRE
from ptycupy.storage.atomic import Sink
from ptycupy.storage.export.product import calibrated, corners, gaps, transmission
from ptycupy.storage.patterns import MAT5_BYTES
from ptycupy.storage.snapshot import Snapshot
from ptycupy.storage.stream import Stream

SHORTEST_XRAY = 0.1  # angstrom, 124 keV


def write(sink: Sink, snapshot: Snapshot) -> None:
    """ResourceError where the object is larger than a variable of version 5."""
    from scipy.io import savemat

    known = calibrated(snapshot, "PtychoShelves")
    volume = np.moveaxis(transmission(snapshot), 0, 2)
    if volume.nbytes > MAT5_BYTES:
        raise ResourceError(f"an object of {volume.nbytes} bytes: a MATLAB file of version 5 holds {MAT5_BYTES}")
    probe = np.moveaxis(np.asarray(snapshot.state.probe, np.complex64), 0, 2)
    corner = np.ceil(np.asarray(volume.shape[:2]) / 2 - np.asarray(probe.shape[:2]) / 2) - 1
    unit = METRE if known.wavelength > SHORTEST_XRAY else 1.0
    size = np.asarray(known.pixel_size)
    contents = {
        "object": volume,
        "probe": probe,
        "outputs": {"probe_positions": (corners(snapshot) - corner)[:, ::-1]},
        "p": {"dx_spec": size[None] / unit, "lambda": known.wavelength / unit},
        "ptycupy": {
            "pixel_size_angstrom": size[None],
            "wavelength_angstrom": known.wavelength,
            "slice_thickness_angstrom": gaps(snapshot)[None],
        },
    }
    savemat(Stream(sink), contents)
