"""The sparsity regulariser: an l-n norm of the phase where the windows of a batch lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ptycupy.backends.interface import Array, Backend
from ptycupy.tape import Variable


@dataclass(frozen=True)
class Sparsity:
    """phase [o, z, Y, X] -> [sum_o occupancy_o (mean |phase|^n over the batch's overlapping patches)^(1/n)]."""

    backend: Backend
    coverage: Array  # [Y, X] int32
    occupancy: Array  # [o]
    count: int  # n z y x of the whole batch
    order: int
    statistics: Array | None = None

    def measure(self, phase: Array) -> Array:
        return self.backend.sparsity_statistics(phase, self.coverage, self.order)

    def forward(self, phase: Array) -> tuple[Array, Any]:
        statistics = self.measure(phase) if self.statistics is None else self.statistics
        value = self.backend.sparsity_value(statistics, self.occupancy, self.count, self.order)
        return value, (phase, statistics)

    def backward(self, grad: float, saved: Any, wanted: Sequence[Variable | None]) -> tuple[None]:
        phase, statistics = saved
        if wanted[0] is not None:
            self.backend.sparsity_gradient(
                phase, self.coverage, self.order, statistics, self.occupancy, self.count, grad, wanted[0].accumulator()
            )
        return (None,)
