"""The whole specimen: transmission through every slice and propagation between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ptycupy.backends.interface import Array, Backend
from ptycupy.tape import Variable, accumulators


@dataclass(frozen=True)
class Multislice:
    """waves [n, o or 1, p, y, x], transmission [o, z, Y, X], transfer [1 or z - 1, 1 or n, y, x] -> exit waves
    [n, o, p, y, x] behind the last slice.

    The same as `Transmit` and `Propagate` in turns.
    """

    backend: Backend
    corners: Array  # [N, 2] int32 px
    indices: Array  # [n] int32
    keep_spectra: bool  # the gradient of the transfer function needs them

    def forward(self, waves: Array, transmission: Array, transfer: Array) -> tuple[Array, Any]:
        arrays = (transmission, transfer, self.corners, self.indices)
        exits, saved = self.backend.multislice_forward(waves, *arrays, self.keep_spectra)
        return exits, (saved, transmission, transfer)

    def backward(self, grad: Array, saved: Any, wanted: Sequence[Variable | None]) -> tuple[Array | None, None, None]:
        needs_waves = wanted[0] is not None
        kept, transmission, transfer = saved
        arrays = (transmission, transfer, self.corners, self.indices)
        grad_transmission, grad_transfer = accumulators(wanted[1:])
        grads = (grad_transmission, grad_transfer, needs_waves)
        return self.backend.multislice_backward(grad, kept, *arrays, *grads), None, None
