"""One .npz with what quantem 0.1 calls by these names: its own files are pickles, its models are made of arrays.

The probe has its middle in the corner of its array; positions are those of window centres, n // 2 px from the corner.
Its tilt has the other sign, and is one for the whole scan.
"""

from __future__ import annotations

import numpy as np

from ptycupy.experiment.optics import electron_kilovolts
from ptycupy.storage.atomic import Sink
from ptycupy.storage.export.product import calibrated, corners, gaps, transmission
from ptycupy.storage.snapshot import Snapshot
from ptycupy.storage.stream import Stream


def write(sink: Sink, snapshot: Snapshot) -> None:
    """`obj` (z, y, x) complex, `probe` (mode, y, x), `scan_positions_px` (N, 2) px (y, x), `slice_thicknesses` (z-1,)
    and `sampling` (2,) in angstrom, `probe_tilt` (2,) mrad (y, x), `energy` in eV, `iter_losses`."""
    known = calibrated(snapshot, "quantem")
    probe = np.asarray(snapshot.state.probe, np.complex64)
    np.savez(
        Stream(sink),
        obj=transmission(snapshot),
        probe=np.fft.ifftshift(probe, axes=(-2, -1)),
        scan_positions_px=corners(snapshot) + np.asarray(probe.shape[-2:]) // 2,
        slice_thicknesses=gaps(snapshot),
        sampling=np.asarray(known.pixel_size),
        probe_tilt=-np.mean(np.asarray(snapshot.state.tilts, np.float64), axis=0),
        energy=np.asarray(1e3 * electron_kilovolts(known.wavelength)),
        iter_losses=np.asarray(snapshot.history.total, np.float64),
    )
