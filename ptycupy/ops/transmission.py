"""The object's complex transmission from its amplitude and phase."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ptycupy.backends.interface import Array, Backend
from ptycupy.tape import Variable, accumulators


@dataclass(frozen=True)
class Transmission:
    """amplitude, phase [o, z, Y, X] -> amplitude exp(i phase)."""

    backend: Backend

    def forward(self, amplitude: Array, phase: Array) -> tuple[Array, Any]:
        return self.backend.transmission_forward(amplitude, phase), (amplitude, phase)

    def backward(self, grad: Array, saved: Any, wanted: Sequence[Variable | None]) -> tuple[None, None]:
        amplitude, phase = saved
        self.backend.transmission_backward(grad, amplitude, phase, *accumulators(wanted))
        return None, None
