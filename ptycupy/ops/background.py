"""Incoherent intensity on the detector that no position changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ptycupy.backends.interface import Array, Backend
from ptycupy.tape import Variable


@dataclass(frozen=True)
class Background:
    """intensity [n, ky, kx], background [ky, kx] -> intensity + background, in place."""

    backend: Backend

    def forward(self, intensity: Array, background: Array) -> tuple[Array, None]:
        return self.backend.background_forward(intensity, background), None

    def backward(self, grad: Array, saved: None, wanted: Sequence[Variable | None]) -> tuple[Array, None]:
        if wanted[1] is not None:
            self.backend.background_backward(grad, wanted[1].accumulator())
        return grad, None
