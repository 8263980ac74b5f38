"""From the probe to the intensities on the detector, in one op."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ptycupy.backends.interface import Array, Backend
from ptycupy.tape import Variable, accumulators


@dataclass(frozen=True)
class Diffraction:
    """probe [p, y, x], shifts [n, 2] px, transmission [o, z, Y, X] -> intensity [n, y, x] of the far field.

    The same as `Shift`, `Multislice`, `FarField` and `Intensity` in turns, for a transfer function without a gradient.
    """

    backend: Backend
    transfer: Array | None  # [1 or z - 1, 1 or n, y, x], None for one slice
    corners: Array  # [N, 2] int32 px
    indices: Array  # [n] int32
    occupancy: Array  # [o]

    def forward(self, probe: Array, shifts: Array, transmission: Array) -> tuple[Array, Any]:
        arrays = (transmission, self.transfer, self.corners, self.indices, self.occupancy)
        intensity, saved = self.backend.diffraction_forward(probe, shifts, *arrays)
        return intensity, (saved, shifts, transmission)

    def backward(self, grad: Array, saved: Any, wanted: Sequence[Variable | None]) -> tuple[None, None, None]:
        kept, shifts, transmission = saved
        arrays = (transmission, self.transfer, self.corners, self.indices, self.occupancy)
        self.backend.diffraction_backward(grad, kept, shifts, *arrays, *accumulators(wanted))
        return None, None, None
