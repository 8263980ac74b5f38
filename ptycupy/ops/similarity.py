"""The similarity regulariser: how far the object modes differ from each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ptycupy.backends.interface import Array, Backend
from ptycupy.tape import Variable


@dataclass(frozen=True)
class Similarity:
    """patches [n, o, z, y, x] -> [mean over n, z, y, x of the standard deviation over o of occupancy_o patches].

    For one object mode there is nothing to differ: 0, with zero gradient.
    """

    backend: Backend
    occupancy: Array  # [o]
    count: int  # n z y x of the whole batch
    statistics: Array | None = None

    def measure(self, patches: Array) -> Array:
        return self.backend.similarity_statistics(patches, self.occupancy)

    def forward(self, patches: Array) -> tuple[Array, Any]:
        statistics = self.measure(patches) if self.statistics is None else self.statistics
        return self.backend.similarity_value(statistics, self.count), patches

    def backward(self, grad: float, saved: Any, wanted: Sequence[Variable | None]) -> tuple[Array]:
        return (self.backend.similarity_gradient(saved, self.occupancy, grad / self.count),)
