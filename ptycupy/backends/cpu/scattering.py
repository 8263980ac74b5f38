"""The methods of CpuBackend that take waves from the probe to the detector in one go."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import get_num_threads

from ptycupy.backends.cpu import chain, diffraction, shift
from ptycupy.backends.cpu.memory import flat
from ptycupy.backends.cpu.slicing import Slicing
from ptycupy.backends.cpu.windows import require_inside
from ptycupy.backends.interface import Array
from ptycupy.backends.sizes import PADDING, has_own_transforms


@dataclass(frozen=True)
class Fused:
    """What the stages of `chain` leave for those that follow."""

    room: chain.Room
    beam: chain.Beam


class Scattering(Slicing):
    def diffraction_forward(
        self,
        probe: Array,
        shifts: Array,
        transmission: Array,
        transfer: Array | None,
        corners: Array,
        indices: Array,
        occupancy: Array,
        keep: bool,
    ) -> tuple[Array, Any]:
        window, given = probe.shape[1:], (transmission, transfer, corners, indices)
        if not (self._fused and has_own_transforms(window)):
            return super().diffraction_forward(probe, shifts, *given, occupancy, keep)
        beam = self._beam(probe, shifts, *given)
        room = self._room(beam, keep)._replace(intensity=self.empty((len(shifts), *window), self.real))
        self._chain(chain.FORTH, room, beam, occupancy)
        self._chain(chain.INTENSITIES, room, beam, occupancy)
        return room.intensity, Fused(room, beam)

    def diffraction_backward(
        self,
        grad_intensity: Array,
        saved: Any,
        shifts: Array,
        transmission: Array,
        transfer: Array | None,
        corners: Array,
        indices: Array,
        occupancy: Array,
        grad_probe: Array | None,
        grad_shifts: Array | None,
        grad_transmission: Array | None,
        grad_transfer: Array | None,
    ) -> None:
        grads = (grad_probe, grad_shifts, grad_transmission, grad_transfer)
        if not isinstance(saved, Fused):
            arrays = (transmission, transfer, corners, indices, occupancy)
            super().diffraction_backward(grad_intensity, saved, shifts, *arrays, *grads)
            return
        room = saved.room._replace(grads=grad_intensity)
        self._chain(chain.BACK, room, saved.beam, occupancy)
        self._spread(room, saved.beam, 1.0, *grads)

    def _beam(
        self, probe: Array, shifts: Array, transmission: Array, transfer: Array | None, corners: Array, indices: Array
    ) -> chain.Beam:
        window = probe.shape[1:]
        require_inside(corners, indices, window, transmission.shape[-2:])
        share = 1 / math.prod(window)  # makes two unnormalised transforms one identity
        spectrum = self.empty(probe.shape, self.complex)
        np.copyto(spectrum, probe)
        self._fourier.transform(spectrum, True, 1.0)
        spectra = self._columnar(spectrum, share)
        moves = self._columnar(spectrum[None, :0] if transfer is None else transfer, share)
        return chain.Beam(spectra, *self._ramps(shifts, window), transmission, moves, corners, indices)

    def _room(self, beam: chain.Beam, keep: bool, threads: int | None = None) -> chain.Room:
        """For what enters the slices of every wave of a batch, or of one pattern on each of so many threads; with
        `keep` for spectra between slices too, and the gradients of transfer functions."""
        modes, (states, slices) = len(beam.spectra), beam.transmission.shape[:2]
        height, width = beam.ramps_y.shape[1], 2 * beam.ramps_x.shape[1]
        stack, plane = (len(beam.indices), states, modes), (slices, height, width)
        nothing = np.empty((0, 0, 0), self.real)
        waves = self.empty((*stack, height, width + PADDING), self.real)
        slopes = np.empty((math.prod(stack), 2))
        if threads is None:
            pulls = self.empty((*stack, *plane), self.real)
            entries = pulls.reshape(-1, *plane)
        else:
            entries = self.empty((threads * states * modes, *plane), self.real)
            pulls = self.empty((*stack[:2], 1, *plane), self.real)
        gaps = self._gaps(beam, keep, len(entries))
        return chain.Room(waves, entries, pulls, *gaps, nothing, nothing, slopes)

    def _chain(
        self,
        stages: int,
        room: chain.Room,
        beam: chain.Beam,
        occupancy: Array,
        likelihood: chain.Likelihood | None = None,
        recycled: bool = False,
    ) -> None:
        """Stages of `chain` on all threads; wave by wave where it is one that asks no more."""
        patterns, states, modes, height, _ = room.waves.shape
        width = beam.ramps_x.shape[1]
        # The waves of a pattern share one place for their shares of the transfer function's gradient.
        alone = stages == chain.FORTH or (stages == chain.BACK and not room.gap_pulls.size)
        together = 1 if alone else states * modes
        threads = get_num_threads()
        bounds = np.arange(threads + 1) * (patterns * states * modes // together) // threads
        scale = self.real.type((height * width) ** -0.5)
        weights = self._reals(occupancy)
        if likelihood is None:
            zero, nothing = self.real.type(0), np.empty((0, 0, 0), self.real)
            likelihood = chain.Likelihood(nothing, np.empty((0, 3)), False, zero, 0, zero, zero)
        sizes = (diffraction.size(height), diffraction.size(width))
        given = (room, beam, weights, scale, 2 * scale * weights, likelihood, *sizes)
        chain.run(stages, recycled, bounds, together, *given)

    def _spread(
        self,
        room: chain.Room,
        beam: chain.Beam,
        factor: float,
        grad_probe: Array | None,
        grad_shifts: Array | None,
        grad_transmission: Array | None,
        grad_transfer: Array | None,
    ) -> None:
        """Adds factor times what the way back has left to the gradients that are wanted."""
        waves = room.waves
        patterns, states, _, height, _ = waves.shape
        width = beam.ramps_x.shape[1]
        self._spread_slices(room, beam, factor, (height, width), grad_transmission, grad_transfer)
        if grad_shifts is not None:
            sums = room.slopes.reshape(patterns, -1, 2).sum(1)
            grad_shifts += (2 * math.pi * factor * sums).astype(self.real)
        if grad_probe is not None:
            total = self._zeros(waves.shape[2:], self.real)
            shift.sum_patterns(flat(total), waves.reshape(patterns * states, -1))
            back = self.empty(grad_probe.shape, self.complex)
            diffraction.pairs(back, total)
            self._fourier.transform(back, False, factor / (height * width))
            grad_probe += back


__all__ = ["Scattering"]
