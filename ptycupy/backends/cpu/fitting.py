"""The methods of CpuBackend that compare patterns with the model while their waves are still in the cache."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import get_num_threads

from ptycupy.backends import composed
from ptycupy.backends.cpu import chain
from ptycupy.backends.cpu.losses import Losses
from ptycupy.backends.cpu.scalar import power_kind
from ptycupy.backends.cpu.scattering import Fused, Scattering
from ptycupy.backends.interface import Array
from ptycupy.backends.interface.losses import Likelihood, Measured, decoded
from ptycupy.backends.sizes import by_patterns, has_own_transforms


class Fitting(composed.Misfit, Scattering, Losses):
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
        """There and back at once, with gradients to a scale that follows when all patterns have been seen."""
        window = probe.shape[1:]
        if not (self._fused and has_own_transforms(window)):
            given = (transmission, transfer, corners, indices, occupancy, measured, likelihood, keep)
            return super().misfit_forward(probe, shifts, *given)
        counts = decoded(self, measured)
        beam = self._beam(probe, shifts, transmission, transfer, corners, indices)
        threads, patterns = get_num_threads(), len(indices)
        recycled = by_patterns(patterns, threads)
        sums = np.empty((patterns, 3))
        power, eps = self.real.type(likelihood.power), self.real.type(likelihood.eps)
        # For statistics of [1, 1, 1] the power is all that multiplies the gradient: gaussian.py, poisson.py.
        how = chain.Likelihood(
            counts, sums, likelihood.kind == "poisson", power, power_kind(likelihood.power), eps, power
        )
        room = self._room(beam, keep, threads if recycled else None)
        spots = (threads if recycled else patterns, *window)
        room = room._replace(intensity=self.empty(spots, self.real), grads=self.empty(spots, self.real))
        if recycled:
            self._chain(chain.FORTH | chain.INTENSITIES | chain.COMPARE | chain.BACK, room, beam, occupancy, how, True)
        else:
            for stages in (chain.FORTH, chain.INTENSITIES | chain.COMPARE, chain.BACK):
                self._chain(stages, room, beam, occupancy, how)
        return sums.sum(0), Fused(room, beam)

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
        grads = (grad_probe, grad_shifts, grad_transmission, grad_transfer)
        if not isinstance(saved, Fused):
            given = (transmission, transfer, corners, indices, occupancy, measured, likelihood)
            super().misfit_backward(factor, statistics, saved, shifts, *given, *grads)
            return
        scale = factor * float(likelihood.scale(self, statistics)[0])
        self._spread(saved.room, saved.beam, scale, *grads)


__all__ = ["Fitting"]
