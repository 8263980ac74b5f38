"""Fraunhofer propagation from the exit plane to the detector plane."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ptycupy.backends.interface import Array, Backend
from ptycupy.tape import Variable


@dataclass(frozen=True)
class FarField:
    """waves [n, o, p, y, x] -> their unitary 2-D Fourier transforms, in place."""

    backend: Backend

    def forward(self, waves: Array) -> tuple[Array, None]:
        return self.backend.far_field_forward(waves), None

    def backward(self, grad: Array, saved: None, wanted: Sequence[Variable | None]) -> tuple[Array]:
        return (self.backend.far_field_backward(grad),)
