"""What a parameter may never become: negative thickness or intensity, a tilt whose tangent overflows."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from ptycupy.backends.interface import Array, Backend

logger = logging.getLogger(__name__)
STEEPEST = 1400.0  # mrad, 80 degrees
LIMITS = {
    "slice_thickness": (0.0, math.inf),
    "tilts": (-STEEPEST, STEEPEST),
    "pattern_intensity": (0.0, math.inf),
    "background": (0.0, math.inf),
}
ODD = {  # at these limits something is wrong with the run, at the others nothing need be
    "slice_thickness": "a slice thickness was driven below 0 angstrom and is kept at 0",
    "tilts": f"a tilt was driven beyond {STEEPEST:g} mrad and is kept there",
}


class Limits:
    """Keeps parameters within their limits after each step, and warns once for each that should not be there."""

    def __init__(self) -> None:
        self._moved: set[str] = set()
        self._told: set[str] = set()

    def keep(self, backend: Backend, name: str, values: Array) -> None:
        """To be called after a step of this field."""
        if name in LIMITS:
            backend.clamp(values, *LIMITS[name], 0.0)
            self._moved.add(name)

    def warn(self, present: Mapping[str, NDArray[Any]]) -> None:
        """To be called once per iteration, with the values of the fields in ODD."""
        for name in ODD.keys() & self._moved - self._told:
            values, (low, high) = present[name], LIMITS[name]
            if (values <= low).any() or (values >= high).any():
                self._told.add(name)
                logger.warning("%s: try a smaller learning rate of %s", ODD[name], name)
