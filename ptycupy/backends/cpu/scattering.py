"""The methods of CpuBackend that take waves through the whole specimen, or to the detector, in one go."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ptycupy.backends import composed
from ptycupy.backends.cpu import diffraction, shift
from ptycupy.backends.cpu.memory import flat
from ptycupy.backends.cpu.waves import Waves
from ptycupy.backends.cpu.windows import require_inside, row_bands
from ptycupy.backends.interface import Array
from ptycupy.backends.sizes import PADDING, has_own_transforms


@dataclass(frozen=True)
class Fused:
    """What the steps of `diffraction` leave for their adjoints, planar."""

    waves: Array  # [n, o, p, y, 2 x + padding] on the detector
    entries: Array  # [n, o, p, z, y, 2 x] before each slice
    spectra: Array  # [p, y, 2 x] of the probe
    moves: Array  # [1 or z - 1, 1 or n, y, 2 x] transfer functions
    ramps: tuple[Array, Array]  # [n, y] and [n, x] of the shifts


class Scattering(composed.Diffraction, Waves):
    _fused: bool

    def multislice_forward(
        self, waves: Array, transmission: Array, transfer: Array, corners: Array, indices: Array
    ) -> tuple[Array, Any]:
        if not hasattr(self._fourier, "multislice"):
            return composed.multislice_forward(self, waves, transmission, transfer, corners, indices)
        require_inside(corners, indices, waves.shape[-2:], transmission.shape[-2:])
        states, slices = transmission.shape[:2]
        exits = self.empty((len(waves), states, *waves.shape[2:]), self.complex)
        entries = self.empty((slices - 1, *exits.shape), self.complex)
        self._fourier.multislice(
            exits, entries, waves, transmission, transfer, corners, indices, self._pixel_share(waves)
        )
        return exits, (waves, entries)

    def multislice_backward(
        self,
        grad_exits: Array,
        saved: Any,
        transmission: Array,
        transfer: Array,
        corners: Array,
        indices: Array,
        grad_transmission: Array | None,
        needs_waves: bool,
    ) -> Array | None:
        if not hasattr(self._fourier, "multislice"):
            given = (transmission, transfer, corners, indices, grad_transmission, needs_waves)
            return composed.multislice_backward(self, grad_exits, saved, *given)
        waves, entries = saved
        patterns, states, _, *window = grad_exits.shape
        wants_transmission = grad_transmission is not None
        overlaps = self.empty((patterns, states, transmission.shape[1], *window), self.complex)
        grad_waves = self.empty(waves.shape, self.complex)
        arrays = (grad_exits, entries, waves, transmission, transfer, corners, indices, self._pixel_share(waves))
        self._fourier.multislice_back(grad_waves, overlaps, *arrays, needs_waves, wants_transmission)
        if grad_transmission is not None:
            self.patch_backward(overlaps, corners, indices, grad_transmission)
        return grad_waves if needs_waves else None

    def diffraction_forward(
        self,
        probe: Array,
        shifts: Array,
        transmission: Array,
        transfer: Array | None,
        corners: Array,
        indices: Array,
        occupancy: Array,
    ) -> tuple[Array, Any]:
        window = probe.shape[1:]
        if not (self._fused and has_own_transforms(window)):
            return super().diffraction_forward(probe, shifts, transmission, transfer, corners, indices, occupancy)
        require_inside(corners, indices, window, transmission.shape[-2:])
        states, slices = transmission.shape[:2]
        height, width = window
        share = 1 / (height * width)  # makes two unnormalised transforms one identity
        spectrum = self.empty(probe.shape, self.complex)
        np.copyto(spectrum, probe)
        self._fourier.transform(spectrum, True, 1.0)
        modes = (len(shifts), states, len(probe))
        kept = Fused(
            waves=self.empty((*modes, height, 2 * width + PADDING), self.real),
            entries=self.empty((*modes, slices, height, 2 * width), self.real),
            spectra=self._planar(spectrum, share),
            moves=self._planar(spectrum[None, :0] if transfer is None else transfer, share),
            ramps=self._ramps(shifts, window),
        )
        sizes = (diffraction.size(height), diffraction.size(width))
        given = (kept.spectra, *kept.ramps, transmission, kept.moves, corners, indices)
        diffraction.forward(kept.waves, kept.entries, *given, self.real.type(math.sqrt(share)), *sizes)
        intensity = self.empty((len(shifts), *window), self.real)
        diffraction.intensities(intensity, kept.waves, self._reals(occupancy), sizes[1])
        return intensity, kept

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
    ) -> None:
        if not isinstance(saved, Fused):
            arrays = (transmission, transfer, corners, indices, occupancy)
            grads = (grad_probe, grad_shifts, grad_transmission)
            super().diffraction_backward(grad_intensity, saved, shifts, *arrays, *grads)
            return
        waves, entries, spectra, moves, ramps = saved.waves, saved.entries, saved.spectra, saved.moves, saved.ramps
        height, width = grad_intensity.shape[1:]
        sizes = (diffraction.size(height), diffraction.size(width))
        factors = 2 * self._reals(occupancy) * self.real.type((height * width) ** -0.5)
        given = (grad_intensity, factors, *ramps, transmission, moves, corners, indices)
        diffraction.backward(waves, entries, *given, *sizes)
        if grad_transmission is not None:
            bands = row_bands(corners, indices, (height, width), transmission.shape[-2:])
            diffraction.scatter(grad_transmission, entries, corners, indices, bands, sizes[1])
        patterns, states, modes = waves.shape[:3]
        if grad_shifts is not None:
            sums = np.empty((patterns * states * modes, 2))
            diffraction.slopes(sums, waves.reshape(-1, *waves.shape[3:]), spectra)
            grad_shifts += (2 * math.pi * sums.reshape(patterns, -1, 2).sum(1)).astype(self.real)
        if grad_probe is not None:
            total = self._zeros(waves.shape[2:], self.real)
            shift.sum_patterns(flat(total), waves.reshape(patterns * states, -1))
            back = self.empty(grad_probe.shape, self.complex)
            diffraction.pairs(back, total)
            self._fourier.transform(back, False, 1 / (height * width))
            grad_probe += back

    def _planar(self, arrays: Array, scale: float = 1.0) -> Array:
        """[..., y, 2 x] of complex [..., y, x]."""
        result = self.empty((*arrays.shape[:-1], 2 * arrays.shape[-1]), self.real)
        height, width = arrays.shape[-2:]
        planes = (result.reshape(-1, height, 2 * width), arrays.reshape(-1, height, width))
        diffraction.planar(*planes, self.real.type(scale))
        return result


__all__ = ["Scattering"]
