"""The Poisson likelihood."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ptycupy.backends.interface import Array, Backend
from ptycupy.tape import Variable


@dataclass(frozen=True)
class Poisson:
    """intensity [n, ky, kx] -> [-mean(M^p ln(I^p + eps) - I^p) / mean(M^p)] (PtyRAD's loss_poissn)."""

    backend: Backend
    measured: Array  # [n, ky, kx], -1 where not counted
    power: float
    eps: float
    statistics: Array | None = None

    def measure(self, intensity: Array) -> Array:
        return self.backend.poisson_statistics(intensity, self.measured, self.power, self.eps)

    def value(self, statistics: Array) -> Array:
        return self.backend.poisson_value(statistics)

    def scale(self, statistics: Array) -> Array:
        """[1]: the gradient for these statistics as a multiple of that for UNIT."""
        return self.backend.poisson_scale(statistics)

    def forward(self, intensity: Array) -> tuple[Array, Any]:
        statistics = self.measure(intensity) if self.statistics is None else self.statistics
        return self.value(statistics), (intensity, statistics)

    def backward(self, grad: float, saved: Any, wanted: Sequence[Variable | None]) -> tuple[Array]:
        intensity, statistics = saved
        return (self.backend.poisson_gradient(intensity, self.measured, self.power, self.eps, statistics, grad),)
