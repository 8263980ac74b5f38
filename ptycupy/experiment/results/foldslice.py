"""Scan positions as fold_slice writes them into HDF5: ppX and ppY in angstrom, mirrored and in reverse order."""

from __future__ import annotations

import numpy as np

from ptycupy.data.contents import Contents
from ptycupy.errors import DataError
from ptycupy.experiment.results.earlier import Earlier


def recognises(contents: Contents) -> bool:
    """Whether the file has both coordinates."""
    return "ppX" in contents and "ppY" in contents


def load(contents: Contents) -> Earlier:
    """Positions (-ppY, -ppX), the last one first, as PtyRAD 1.0.0 takes them; one "pixel" is an angstrom here."""
    y, x = (np.asarray(contents.array(key), np.float64).ravel() for key in ("ppY", "ppX"))
    if y.shape != x.shape:
        raise DataError(f"{contents.path}: {y.size} values of ppY and {x.size} of ppX")
    positions = np.stack([-y, -x], axis=1)[::-1]
    return Earlier(str(contents.path), "fold_slice", positions=positions, window=(0, 0), pixel_size=(1.0, 1.0))
