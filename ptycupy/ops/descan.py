"""Where each pattern lies on the detector: imperfect descan moves it with the scan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ptycupy.backends.interface import Array, Backend
from ptycupy.tape import Variable, accumulators


@dataclass(frozen=True)
class Descan:
    """waves [n, o, p, y, x], descan [n, 2] px -> waves exp(2 pi i (d_y y / period_y + d_x x / period_x)).

    In the far field this is an exact shift of every pattern by fractions of a pixel, down and right for positive ones.
    """

    backend: Backend
    period: tuple[float, float]  # detector px (y, x)

    def forward(self, waves: Array, descan: Array) -> tuple[Array, Any]:
        return self.backend.descan_forward(waves, descan, self.period), (waves, descan)

    def backward(self, grad: Array, saved: Any, wanted: Sequence[Variable | None]) -> tuple[Array, None]:
        (waves, descan), (grad_descan,) = saved, accumulators(wanted[1:])
        return self.backend.descan_backward(grad, waves, descan, self.period, grad_descan), None
