"""From parameters to what patterns say about them."""

from __future__ import annotations

from typing import Any, Protocol

from ptycupy.backends.interface.array import Array
from ptycupy.backends.interface.losses import Likelihood, Measured


class Fitting(Protocol):
    """The way from the probe to the statistics of a likelihood, and back."""

    def misfit_forward(
        self,
        probe: Array,
        shifts: Array,
        transmission: Array,
        transfer: Array | None,
        corners: Array,
        indices: Array,
        occupancy: Array,
        measured: Measured,
        likelihood: Likelihood,
        keep: bool,
    ) -> tuple[Array, Any]:
        """Statistics [3] float64 of a likelihood of `diffraction_forward`'s intensities, and what the adjoint needs,
        with `keep` for grad_transfer too."""
        ...

    def misfit_backward(
        self,
        factor: float,
        statistics: Array,
        saved: Any,
        shifts: Array,
        transmission: Array,
        transfer: Array | None,
        corners: Array,
        indices: Array,
        occupancy: Array,
        measured: Measured,
        likelihood: Likelihood,
        grad_probe: Array | None,
        grad_shifts: Array | None,
        grad_transmission: Array | None,
        grad_transfer: Array | None,
    ) -> None:
        """Accumulates factor * dL into the gradients that are wanted; overwrites what was saved."""
        ...
