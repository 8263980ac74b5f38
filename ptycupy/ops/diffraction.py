"""From the probe to the intensities on the detector, in one op."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ptycupy.backends.interface import Array, Backend
from ptycupy.tape import Variable, accumulators


@dataclass(frozen=True)
class Diffraction:
    """probe [p, y, x], shifts [n, 2] px, transmission [o, z, Y, X], transfer [1 or z - 1, 1 or n, y, x] -> intensity
    [n, y, x] of the far field.

    The same as `Shift`, `Multislice`, `FarField` and `Intensity` in turns; the transfer is None for one slice.
    """

    backend: Backend
    corners: Array  # [N, 2] int32 px
    indices: Array  # [n] int32
    occupancy: Array  # [o]
    keep_spectra: bool  # the gradient of the transfer function needs them

    def forward(self, probe: Array, shifts: Array, transmission: Array, transfer: Array | None) -> tuple[Array, Any]:
        arrays = (transmission, transfer, self.corners, self.indices, self.occupancy)
        intensity, saved = self.backend.diffraction_forward(probe, shifts, *arrays, self.keep_spectra)
        return intensity, (saved, shifts, *arrays)

    def backward(self, grad: Array, saved: Any, wanted: Sequence[Variable | None]) -> tuple[None, None, None, None]:
        self.backend.diffraction_backward(grad, *saved, *accumulators(wanted))
        return None, None, None, None
