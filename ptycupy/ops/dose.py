"""The intensity of the beam while each pattern was taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ptycupy.backends.interface import Array, Backend
from ptycupy.tape import Variable, accumulators


@dataclass(frozen=True)
class Dose:
    """intensity [n, ky, kx], factors [n, 1] -> factors intensity."""

    backend: Backend

    def forward(self, intensity: Array, factors: Array) -> tuple[Array, Any]:
        return self.backend.dose_forward(intensity, factors), (intensity, factors)

    def backward(self, grad: Array, saved: Any, wanted: Sequence[Variable | None]) -> tuple[Array, None]:
        (intensity, factors), (grad_factors,) = saved, accumulators(wanted[1:])
        return self.backend.dose_backward(grad, intensity, factors, grad_factors), None
