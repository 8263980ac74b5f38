"""What of a snapshot is worth showing, and in which unit."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.storage.snapshot import Snapshot

SMALLEST = 8  # px: below this a field of view is no picture, as with a single position


def shown_region(snapshot: Snapshot) -> tuple[slice, slice]:
    """Rows and columns of the field of view, or of all that was illuminated where the scan is hardly wider than one
    position."""
    rows, columns = snapshot.field_of_view()
    if min(rows.stop - rows.start, columns.stop - columns.start) >= SMALLEST:
        return rows, columns
    corners = snapshot.corners[snapshot.used]
    (top, left), (bottom, right) = corners.min(axis=0), corners.max(axis=0) + snapshot.state.probe.shape[-2:]
    return slice(int(top), int(bottom)), slice(int(left), int(right))


def mean_mode(snapshot: Snapshot, values: NDArray[Any]) -> NDArray[Any]:
    """Occupancy-weighted mean over object modes: [omode, z, y, x] -> [z, y, x]."""
    if len(values) == 1:
        only: NDArray[Any] = values[0]
        return only
    weights = np.asarray(snapshot.object_occupancy, np.float64)
    mean: NDArray[Any] = np.tensordot(weights / weights.sum(), values, 1)
    return mean


def steps(snapshot: Snapshot) -> tuple[tuple[float, float], str]:
    """Pixel size (y, x) and its unit: angstrom, or 1 px without a calibration."""
    if snapshot.pixel_size is None:
        return (1.0, 1.0), "px"
    return snapshot.pixel_size, "Å"
