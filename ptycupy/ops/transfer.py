"""The propagator between slices as a function of specimen tilt and slice thickness."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ptycupy.backends.interface import Array, Backend
from ptycupy.tape import Variable, accumulators


@dataclass(frozen=True)
class Transfer:
    """tilts [t, 2] mrad, thickness [g] angstrom -> transfer [g, t, y, x].

    exp(i dz (base + Ky tan ty + Kx tan tx)); the carrier exp(i k dz) is dropped, it only costs digits.
    """

    backend: Backend
    base: Array  # [y, x] rad/angstrom
    aperture: Array  # [y, x] 1 where waves propagate
    ky: Array  # [y] rad/angstrom
    kx: Array  # [x] rad/angstrom

    def forward(self, tilts: Array, thickness: Array) -> tuple[Array, Any]:
        transfer = self.backend.transfer_forward(tilts, thickness, self.base, self.aperture, self.ky, self.kx)
        return transfer, (tilts, thickness, transfer)

    def backward(self, grad: Array, saved: Any, wanted: Sequence[Variable | None]) -> tuple[None, None]:
        tilts, thickness, transfer = saved
        tables = (self.base, self.ky, self.kx)
        self.backend.transfer_backward(grad, transfer, tilts, thickness, *tables, *accumulators(wanted))
        return None, None
