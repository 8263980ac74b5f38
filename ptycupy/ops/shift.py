"""Sub-pixel shift of the probe to each position of a batch, by the Fourier shift theorem."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ptycupy.backends.interface import Array, Backend
from ptycupy.tape import Variable, accumulators


@dataclass(frozen=True)
class Shift:
    """probe [p, y, x], shifts [n, 2] px -> waves [n, 1, p, y, x]; positive shifts move down and right."""

    backend: Backend

    def forward(self, probe: Array, shifts: Array) -> tuple[Array, Any]:
        waves, spectrum = self.backend.shift_forward(probe, shifts)
        return waves, (shifts, spectrum)

    def backward(self, grad: Array, saved: Any, wanted: Sequence[Variable | None]) -> tuple[None, None]:
        shifts, spectrum = saved
        self.backend.shift_backward(grad, shifts, spectrum, *accumulators(wanted))
        return None, None
