"""The incoherent sum of all modes' intensities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ptycupy.backends.interface import Array, Backend
from ptycupy.tape import Variable


@dataclass(frozen=True)
class Intensity:
    """waves [n, o, p, y, x] -> intensity [n, y, x] = sum_o occupancy_o sum_p |wave|^2 + 1e-10."""

    backend: Backend
    occupancy: Array  # [o]

    def forward(self, waves: Array) -> tuple[Array, Any]:
        return self.backend.intensity_forward(waves, self.occupancy), waves

    def backward(self, grad: Array, saved: Any, wanted: Sequence[Variable | None]) -> tuple[Array]:
        return (self.backend.intensity_backward(grad, saved, self.occupancy),)
