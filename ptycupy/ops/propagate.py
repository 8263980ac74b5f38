"""Free-space propagation from one slice to the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ptycupy.backends.interface import Array, Backend
from ptycupy.tape import Variable, accumulators


@dataclass(frozen=True)
class Propagate:
    """waves [n, o, p, y, x], transfer [g, t, y, x] -> ifft2(transfer[gap] fft2(waves)), in place."""

    backend: Backend
    gap: int
    keep_spectrum: bool  # the gradient of the transfer function needs it

    def forward(self, waves: Array, transfer: Array) -> tuple[Array, Any]:
        waves, spectrum = self.backend.propagate_forward(waves, transfer, self.gap, self.keep_spectrum)
        return waves, (transfer, spectrum)

    def backward(self, grad: Array, saved: Any, wanted: Sequence[Variable | None]) -> tuple[Array, None]:
        transfer, spectrum = saved
        (grad_transfer,) = accumulators(wanted[1:])
        return self.backend.propagate_backward(grad, transfer, self.gap, spectrum, grad_transfer), None
