"""One .npz with everything under the names and in the units of ptycupy.State and ptycupy.Problem."""

from __future__ import annotations

from typing import Any

import numpy as np

from ptycupy.storage.atomic import Sink
from ptycupy.storage.export.product import corners
from ptycupy.storage.snapshot import Snapshot
from ptycupy.storage.stream import Stream


def write(sink: Sink, snapshot: Snapshot) -> None:
    """The state's fields, and `positions_px` (N, 2) px (y, x) of window corners, `pixel_size` and `wavelength` in
    angstrom where they are known, `object_occupancy`, `scan_shape`, `iterations` and `loss`."""
    parts: dict[str, Any] = {name: np.asarray(value) for name, value in snapshot.state.items()}
    parts["positions_px"] = corners(snapshot)
    parts["corners"] = snapshot.corners
    parts["object_occupancy"] = snapshot.object_occupancy
    parts["iterations"] = np.asarray(snapshot.history.iterations, np.int64)
    parts["loss"] = np.asarray(snapshot.history.total, np.float64)
    known = {
        "pixel_size": snapshot.pixel_size,
        "wavelength": snapshot.wavelength,
        "scan_shape": snapshot.scan_shape,
        "nominal_positions": snapshot.nominal_positions,
    }
    parts.update({name: np.asarray(value) for name, value in known.items() if value is not None})
    np.savez(Stream(sink), **parts)
