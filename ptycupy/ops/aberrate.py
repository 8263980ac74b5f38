"""Changes of the probe's aberrations, applied to its spectrum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ptycupy.backends.interface import Array, Backend
from ptycupy.tape import Variable, accumulators


@dataclass(frozen=True)
class Aberrate:
    """probe [p, y, x], coefficients [K] angstrom -> ifft2(exp(-i sum_k coefficients_k basis_k) fft2(probe))."""

    backend: Backend
    basis: Array  # [K, y, x] rad/angstrom

    def forward(self, probe: Array, coefficients: Array) -> tuple[Array, Any]:
        backend = self.backend
        waves = backend.empty(probe.shape, probe.dtype)
        backend.copy(waves, probe)  # the propagator works in place, and the probe is a parameter
        plate = backend.aberrate_forward(coefficients, self.basis)
        waves, spectrum = backend.propagate_forward(waves.reshape(1, 1, *probe.shape), plate, 0, True)
        return waves.reshape(probe.shape), (plate, spectrum)

    def backward(self, grad: Array, saved: Any, wanted: Sequence[Variable | None]) -> tuple[Array, None]:
        plate, spectrum = saved
        backend, (grad_coefficients,) = self.backend, accumulators(wanted[1:])
        grad_plate = None
        if grad_coefficients is not None:
            grad_plate = backend.empty(plate.shape, plate.dtype)
            backend.fill(grad_plate, 0.0)
        grad_probe = backend.propagate_backward(grad.reshape(1, 1, *grad.shape), plate, 0, spectrum, grad_plate)
        if grad_coefficients is not None:
            backend.aberrate_backward(grad_plate, plate, self.basis, grad_coefficients)
        return grad_probe.reshape(grad.shape), None
