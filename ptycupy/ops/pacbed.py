"""The misfit of the position-averaged pattern (PACBED) of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ptycupy.backends.interface import Array, Backend
from ptycupy.tape import Variable


@dataclass(frozen=True)
class Pacbed:
    """intensity [n, ky, kx] -> [sqrt(mean_k (Ibar^p - Mbar^p)^2) / mean(M^p)] (PtyRAD's loss_pacbed)."""

    backend: Backend
    measured: Array  # [n, ky, kx], -1 where not counted
    power: float
    statistics: Array | None = None

    def measure(self, intensity: Array) -> Array:
        return self.backend.pacbed_statistics(intensity, self.measured, self.power)

    def forward(self, intensity: Array) -> tuple[Array, Any]:
        statistics = self.measure(intensity) if self.statistics is None else self.statistics
        value = self.backend.pacbed_value(statistics, self.power)
        return value, (statistics, value)

    def backward(self, grad: float, saved: Any, wanted: Sequence[Variable | None]) -> tuple[Array]:
        statistics, value = saved
        return (self.backend.pacbed_gradient(self.measured, self.power, statistics, value, grad),)
