"""Which positions take part: all of them, or one of two halves whose results can be compared."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ptycupy.errors import ConfigError

HALVES = ("all", "even", "odd")


def select_positions(count: int, half: str, scan_shape: tuple[int, int] | None = None) -> NDArray[np.int32]:
    """Indices of the positions that are used; "even" and "odd" are disjoint and make up "all".

    On a raster of scan_shape (slow, fast) the halves are the two colours of a checkerboard, so that both cover the
    specimen evenly; without one, they alternate in scan order.
    """
    if half not in HALVES:
        raise ConfigError(f"half: {half!r} is unknown, it must be one of {', '.join(HALVES)}")
    indices = np.arange(count, dtype=np.int32)
    if half == "all":
        return indices
    parity = indices % 2
    if scan_shape is not None and scan_shape[0] * scan_shape[1] == count:
        parity = (indices // scan_shape[1] + indices % scan_shape[1]) % 2
    return np.flatnonzero(parity == (half == "odd")).astype(np.int32)
