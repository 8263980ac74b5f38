"""From the probe to the misfit of the patterns, in one op."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ptycupy.backends.interface import Array, Backend
from ptycupy.backends.interface.losses import Likelihood, Measured
from ptycupy.ops.diffraction import Diffraction
from ptycupy.tape import Variable, accumulators


@dataclass(frozen=True)
class Misfit:
    """probe [p, y, x], shifts [n, 2] px, transmission [o, z, Y, X], transfer as in `Diffraction` -> [loss].

    The same as `Diffraction`, and then `Gaussian` or `Poisson`, in turns. `add` makes the statistics of these patterns
    [3] those of the whole batch, where others have the rest of it.
    """

    backend: Backend
    way: Diffraction
    measured: Measured  # [n, y, x]
    likelihood: Likelihood
    add: Callable[[Array], None] | None = None

    def forward(self, probe: Array, shifts: Array, transmission: Array, transfer: Array | None) -> tuple[Array, Any]:
        way = self.way
        places = (way.corners, way.indices, way.occupancy)
        arrays = (transmission, transfer, *places, self.measured, self.likelihood)
        statistics, saved = self.backend.misfit_forward(probe, shifts, *arrays, way.keep_spectra)
        if self.add is not None:
            self.add(statistics)
        return self.value(statistics), (statistics, saved, shifts, *arrays)

    def scale(self, statistics: Array) -> Array:
        """[1] float64: what the gradient is of these statistics, as a multiple of that for `model.losses.UNIT`."""
        return self.likelihood.scale(self.backend, statistics)

    def value(self, statistics: Array) -> Array:
        """The loss [1] of a batch with these statistics."""
        return self.likelihood.value(self.backend, statistics)

    def backward(self, grad: float, saved: Any, wanted: Sequence[Variable | None]) -> tuple[None, None, None, None]:
        self.backend.misfit_backward(grad, *saved, *accumulators(wanted))
        return None, None, None, None
