"""A factor on the gradient that is known only when every pattern of a batch has been seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ptycupy.backends.interface import Array, Backend
from ptycupy.tape import Variable


@dataclass(frozen=True)
class Rescale:
    """value -> value; the adjoint multiplies by `factor`, which may be written any time before it runs."""

    backend: Backend
    factor: Array  # [1] float64

    def forward(self, value: Array) -> tuple[Array, None]:
        return value, None

    def backward(self, grad: Array, saved: None, wanted: Sequence[Variable | None]) -> tuple[Array]:
        self.backend.multiply(grad, self.factor)
        return (grad,)
