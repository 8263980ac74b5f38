"""From the probe to the statistics of a likelihood and back, with patterns decoded where the waves are."""

from __future__ import annotations

from typing import Any

import numpy as np

from ptycupy.backends import composed
from ptycupy.backends.cuda import wave_steps
from ptycupy.backends.cuda.launch import Rows, blocks_of
from ptycupy.backends.cuda.losses import Losses
from ptycupy.backends.cuda.reading import likelihood_arguments, pattern_arguments
from ptycupy.backends.cuda.scattering import Scattering
from ptycupy.backends.interface import Array
from ptycupy.backends.interface.losses import Likelihood, Measured


class Fitting(Scattering, Losses):
    """The pull on the waves or their intensities is made at once, to a scale that follows from all patterns' statistics
    and is multiplied where it is read on the way back."""

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
        beam = self._beam(probe, shifts, transmission, transfer, corners, indices, keep)
        pull = None
        if beam.chain is wave_steps:
            statistics = wave_steps.detect(self, beam.waves, occupancy, measured, likelihood)
        else:
            if beam.chain is composed:
                self._fft.forward(beam.waves)
            scale = _scale(beam.waves) if beam.chain is composed else 1.0
            pull, statistics = self._residual(beam.waves, scale, occupancy, measured, likelihood)
        return statistics, (beam, pull)

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
        beam, pull = saved
        deferred = likelihood.scale(self, statistics)
        if beam.chain is composed:
            self._intensity_backward(pull, beam.waves, occupancy, deferred, factor * _scale(beam.waves))
            self._fft.inverse(beam.waves)
        arrays = (transmission, transfer, corners, indices)
        grads = (grad_probe, grad_shifts, grad_transmission, grad_transfer)
        self._beam_backward(beam, shifts, *arrays, *grads, (pull, occupancy), deferred, factor)

    def _residual(
        self, far: Array, scale: float, occupancy: Array, measured: Measured, likelihood: Likelihood
    ) -> tuple[Array, Array]:
        """dL/dI [n, y, x] for statistics of [1, 1, 1], and the statistics [3]; I = scale |far|^2, summed over modes."""
        patterns, object_modes, probe_modes, height, width = far.shape
        pull, rows = self.empty((patterns, height, width), self.real), Rows(patterns, height * width)
        partials = self.empty((blocks_of(rows), 3), np.float64)
        data = (*pattern_arguments(measured), *likelihood_arguments(likelihood))
        self._launch("residual", rows, pull, partials, far, occupancy, *data, scale, object_modes, probe_modes)
        return pull, self._summed(partials)


def _scale(waves: Array) -> float:
    """What makes intensities of unnormalised spectra, and gradients of theirs."""
    height, width = waves.shape[-2:]
    return float(1 / (height * width))


__all__ = ["Fitting"]
