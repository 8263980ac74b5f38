"""Transmission of the waves through one slice, cut from the object where each window lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ptycupy.backends.interface import Array, Backend
from ptycupy.tape import Variable, accumulators


@dataclass(frozen=True)
class Transmit:
    """waves [n, o or 1, p, y, x], transmission [o, z, Y, X] -> exit waves [n, o, p, y, x] of one slice."""

    backend: Backend
    slice_index: int
    corners: Array  # [N, 2] int32 px
    indices: Array  # [n] int32

    def forward(self, waves: Array, transmission: Array) -> tuple[Array, Any]:
        exits = self.backend.transmit_forward(waves, transmission, self.slice_index, self.corners, self.indices)
        return exits, (waves, transmission)

    def backward(self, grad: Array, saved: Any, wanted: Sequence[Variable | None]) -> tuple[Array | None, None]:
        waves, transmission = saved
        where = (self.slice_index, self.corners, self.indices)
        (grad_transmission,) = accumulators(wanted[1:])
        grad_waves = self.backend.transmit_backward(
            grad, waves, transmission, *where, grad_transmission, needs_waves=wanted[0] is not None
        )
        return grad_waves, None
