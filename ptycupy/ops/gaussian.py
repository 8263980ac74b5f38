"""The Gaussian (amplitude) likelihood: normalised RMS difference of the patterns' powers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ptycupy.backends.interface import Array, Backend
from ptycupy.tape import Variable


@dataclass(frozen=True)
class Gaussian:
    """intensity [n, ky, kx] -> [sqrt(mean (I^p - M^p)^2) / mean(M^p)] (PtyRAD's loss_single).

    `statistics` of a whole batch make the loss of one of its sub-batches exact.
    """

    backend: Backend
    measured: Array  # [n, ky, kx], -1 where not counted
    power: float
    statistics: Array | None = None

    def measure(self, intensity: Array) -> Array:
        return self.backend.gaussian_statistics(intensity, self.measured, self.power)

    def value(self, statistics: Array) -> Array:
        return self.backend.gaussian_value(statistics)

    def scale(self, statistics: Array) -> Array:
        """[1]: the gradient for these statistics as a multiple of that for UNIT."""
        return self.backend.gaussian_scale(statistics)

    def forward(self, intensity: Array) -> tuple[Array, Any]:
        statistics = self.measure(intensity) if self.statistics is None else self.statistics
        return self.value(statistics), (intensity, statistics)

    def backward(self, grad: float, saved: Any, wanted: Sequence[Variable | None]) -> tuple[Array]:
        intensity, statistics = saved
        return (self.backend.gaussian_gradient(intensity, self.measured, self.power, statistics, grad),)
