"""The whole specimen: transmission through every slice and propagation between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ptycupy.backends.interface import Array, Backend
from ptycupy.tape import Variable, accumulators


@dataclass(frozen=True)
class Multislice:
    """waves [n, o or 1, p, y, x], transmission [o, z, Y, X] -> exit waves [n, o, p, y, x] behind the last slice.

    The same as `Transmit` and `Propagate` in turns, for a transfer function that takes no gradient.
    """

    backend: Backend
    transfer: Array  # [1 or z - 1, 1 or n, y, x]
    corners: Array  # [N, 2] int32 px
    indices: Array  # [n] int32

    def forward(self, waves: Array, transmission: Array) -> tuple[Array, Any]:
        arrays = (transmission, self.transfer, self.corners, self.indices)
        exits, saved = self.backend.multislice_forward(waves, *arrays)
        return exits, (saved, transmission)

    def backward(self, grad: Array, saved: Any, wanted: Sequence[Variable | None]) -> tuple[Array | None, None]:
        kept, transmission = saved
        (grad_transmission,) = accumulators(wanted[1:])
        arrays = (transmission, self.transfer, self.corners, self.indices)
        return self.backend.multislice_backward(grad, kept, *arrays, grad_transmission, wanted[0] is not None), None
