"""The backend that counts as the CPU works."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ptycupy.backends import composed
from ptycupy.backends.interface import Array
from ptycupy.backends.interface.losses import Likelihood, Measured, decoded
from ptycupy.backends.sizes import PADDING, by_patterns, has_own_transforms
from ptycupy.planning.counting import Counting
from ptycupy.planning.data import powers
from ptycupy.planning.memory import op
from ptycupy.planning.waves import ACCUMULATE, MULTIPLY


class CountingCpu(Counting):
    """As the CPU backend works: each wave stays in the cache of its core from its first to its last transform."""

    kind = "cpu"
    transform_passes = 0

    def fresh(self) -> CountingCpu:
        """Another one of the same kind, that has counted nothing."""
        return CountingCpu(self.how)

    def _fused(self, window: Sequence[int]) -> bool:
        return self.fft not in ("rocket", "scipy") and has_own_transforms(tuple(window))

    @op
    def multislice_forward(
        self, waves: Array, transmission: Array, transfer: Array, corners: Array, indices: Array, keep: bool
    ) -> tuple[Array, Any]:
        (states, slices), (patterns, _, modes, height, width) = transmission.shape[:2], waves.shape
        exits = self.empty((patterns, states, modes, height, width), self.complex)
        if self._fused((height, width)):
            stack, plane = (patterns, states, modes), (slices, height, 2 * width)
            moves = self.empty((*transfer.shape[:-1], 2 * width), self.real)
            self.empty((self.threads, height, 2 * width + PADDING), self.real)
            entries = pulls = self.empty((math.prod(stack), *plane), self.real)
            if keep or by_patterns(patterns, self.threads):
                pulls = self.empty((patterns, states, 1, *plane), self.real)
            gaps, gap_pulls = self._between(transfer, patterns, math.prod(stack), slices, keep)
            self._transformed(exits, 2 * slices)
            reads = (waves, slices * self._windows(waves, transmission), moves)
            self._traffic(reads, (moves, exits, entries, gaps), MULTIPLY * (2 * slices - 1) * exits.size)
            return exits, (entries, pulls, gaps, gap_pulls)
        if keep:
            return composed.multislice_forward(self, waves, transmission, transfer, corners, indices, keep)
        entries = self.empty((slices - 1, *exits.shape), self.complex)
        for _ in range(2 * (slices - 1)):
            self._transform(exits)
        flops = MULTIPLY * (2 * slices - 1) * exits.size
        self._traffic((waves, slices * self._windows(waves, transmission), transfer), (exits, entries), flops)
        return exits, (waves, entries)

    @op
    def multislice_backward(
        self,
        grad_exits: Array,
        saved: Any,
        transmission: Array,
        transfer: Array,
        corners: Array,
        indices: Array,
        grad_transmission: Array | None,
        grad_transfer: Array | None,
        needs_waves: bool,
    ) -> Array | None:
        (patterns, states, _, *window), slices = grad_exits.shape, transmission.shape[1]
        if self._fused(window):
            entries, pulls, gaps, gap_pulls = saved
            grad_waves = self.empty(grad_exits.shape, self.complex)
            self._transformed(grad_exits, 2 * slices)
            windows = slices * self._windows(grad_exits, transmission)
            flops = (MULTIPLY * (2 * slices - 1) + ACCUMULATE * slices) * grad_exits.size
            if gaps is not None:
                flops += ACCUMULATE * (slices - 1) * grad_exits.size
            self._traffic((grad_exits, entries, gaps, windows, transfer), (grad_waves, pulls, gap_pulls), flops)
            self._spread_slices(pulls, gap_pulls, grad_transmission, grad_transfer)
            return grad_waves if needs_waves else None
        if grad_transfer is not None:
            given = (transmission, transfer, corners, indices, grad_transmission, grad_transfer, needs_waves)
            return composed.multislice_backward(self, grad_exits, saved, *given)
        waves, entries = saved
        overlaps = self.empty((patterns, states, slices, *window), self.complex)
        grad_waves = self.empty(waves.shape, self.complex)
        for _ in range(2 * (slices - 1)):
            self._transform(grad_exits)
        windows = slices * self._windows(waves, transmission)
        flops = MULTIPLY * (2 * slices - 1) * grad_exits.size
        self._traffic((grad_exits, waves, entries, windows, transfer), (grad_waves,), flops)
        if grad_transmission is not None:
            self._traffic((), (overlaps,), ACCUMULATE * slices * grad_exits.size, launches=0)
            self.patch_backward(overlaps, corners, indices, grad_transmission)
        return grad_waves if needs_waves else None

    @op
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
        modes, *window = probe.shape
        if not self._fused(window):
            given = (transmission, transfer, corners, indices, occupancy, keep)
            return super().diffraction_forward(probe, shifts, *given)
        states, slices = transmission.shape[:2]
        stack = (shifts.shape[0], states, modes)
        spectrum = self.empty(probe.shape, self.complex)
        waves = self.empty((*stack, window[0], 2 * window[1] + PADDING), self.real)
        entries = self.empty((*stack, slices, window[0], 2 * window[1]), self.real)
        spectra = self.empty((modes, window[0], 2 * window[1]), self.real)
        moves = None if transfer is None else self.empty((*transfer.shape[:-1], 2 * window[1]), self.real)
        intensity = self.empty((shifts.shape[0], *window), self.real)
        self._transform(spectrum)
        self._transformed(entries[:, :, :, 0], 2 * slices)
        flops = MULTIPLY * (2 * slices + 1) * waves.size // 2
        reads = (probe, spectra, slices * self._windows(intensity[:, None, None], transmission), moves, waves)
        gaps, gap_pulls = self._between(transfer, len(shifts), math.prod(stack), slices, keep)
        self._traffic(reads, (spectra, moves, entries, gaps, waves, intensity), flops)
        return intensity, (waves, entries, gaps, gap_pulls)

    @op
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
        if not self._fused(grad_intensity.shape[1:]):
            arrays = (transmission, transfer, corners, indices, occupancy)
            super().diffraction_backward(grad_intensity, saved, shifts, *arrays, *grads)
            return
        waves, entries, gaps, gap_pulls = saved
        slices = transmission.shape[1]
        self._transformed(entries[:, :, :, 0], 2 * slices)
        windows = slices * self._windows(grad_intensity[:, None, None], transmission)
        flops = (MULTIPLY * 2 + ACCUMULATE) * slices * waves.size // 2
        if gaps is not None:
            flops += ACCUMULATE * (slices - 1) * waves.size // 2
        reads = (grad_intensity, waves, entries, windows, transfer, gaps)
        self._traffic(reads, (waves, entries, gap_pulls), flops)
        self._spread(waves, entries, gap_pulls, grad_probe, grad_transmission, grad_transfer)

    @op
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
        modes, *window = probe.shape
        if not self._fused(window):
            given = (transmission, transfer, corners, indices, occupancy, measured, likelihood, keep)
            return super().misfit_forward(probe, shifts, *given)
        counts = decoded(self, measured)
        (states, slices), patterns = transmission.shape[:2], shifts.shape[0]
        at_once = self.threads if by_patterns(patterns, self.threads) else patterns
        height, length = window[0], 2 * window[1]
        spectrum = self.empty(probe.shape, self.complex)
        spectra = self.empty((modes, height, length), self.real)
        moves = None if transfer is None else self.empty((*transfer.shape[:-1], length), self.real)
        waves = self.empty((patterns, states, modes, height, length + PADDING), self.real)
        pulls = self.empty((patterns, states, 1, slices, height, length), self.real)
        slots = at_once * states * modes
        self.empty((slots if at_once < patterns else 0, slices, height, length), self.real)
        _, gap_pulls = self._between(transfer, patterns, slots, slices, keep)
        for _ in range(2):
            self.empty((at_once, *window), self.real)
        self._transform(spectrum)
        self._transformed(waves[..., :length], 4 * slices)
        flops = (MULTIPLY * (4 * slices + 1) + ACCUMULATE * slices) * waves.size // 2
        if gap_pulls is not None:
            flops += ACCUMULATE * (slices - 1) * waves.size // 2
        roots, elementary = powers(likelihood.power, 3 * counts.size)
        windows = slices * self._windows(counts[:, None, None], transmission)
        reads = (probe, spectra, windows, moves, counts)
        self._traffic(reads, (spectra, moves, waves, pulls, gap_pulls), flops + roots, 1, elementary)
        return self.empty((3,), np.float64), (waves, pulls, gap_pulls)

    @op
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
        if not self._fused(measured.shape[1:]):
            given = (transmission, transfer, corners, indices, occupancy, measured, likelihood)
            super().misfit_backward(factor, statistics, saved, shifts, *given, *grads)
            return
        waves, pulls, gap_pulls = saved
        self._spread(waves, pulls, gap_pulls, grad_probe, grad_transmission, grad_transfer)

    def _between(
        self, transfer: Array | None, patterns: int, slots: int, slices: int, keep: bool
    ) -> tuple[Array | None, Array | None]:
        """Spectra between the slices, and the gradients of every pattern's transfer functions."""
        if transfer is None or not keep:
            return None, None
        plane = (transfer.shape[-2], 2 * transfer.shape[-1])
        spectra = self.empty((slots, slices - 1, *plane), self.real)
        return spectra, self.empty((patterns, transfer.shape[0], *plane), self.real)

    def _spread_slices(
        self, pulls: Array, gap_pulls: Array | None, grad_transmission: Array | None, grad_transfer: Array | None
    ) -> None:
        """The same of slices and gaps."""
        if grad_transfer is not None and gap_pulls is not None:
            self._traffic((gap_pulls, grad_transfer), (grad_transfer,), 2 * gap_pulls.size)
        if grad_transmission is not None:
            self._traffic((pulls, pulls), (pulls,), 2 * pulls.size)

    def _spread(
        self,
        waves: Array,
        pulls: Array,
        gap_pulls: Array | None,
        grad_probe: Array | None,
        grad_transmission: Array | None,
        grad_transfer: Array | None,
    ) -> None:
        """What all patterns have left is added up."""
        self._spread_slices(pulls, gap_pulls, grad_transmission, grad_transfer)
        if grad_probe is not None:
            back = self.empty(grad_probe.shape, self.complex)
            self._transform(back)
            self._traffic((waves, back, grad_probe), (grad_probe,), waves.size)


__all__ = ["CountingCpu"]
