"""Filters on the CPU backend."""

from __future__ import annotations

import math
from types import ModuleType

from ptycupy.backends.cpu import cosine, pack, select, spectral, transmission, variation
from ptycupy.backends.cpu import depth_shift as depth_shift_op
from ptycupy.backends.cpu.memory import Memory, flat
from ptycupy.backends.interface import Array


def _planes(values: Array) -> Array:
    """[rows, Y, X] of contiguous [..., Y, X]."""
    return flat(values).reshape(-1, *values.shape[-2:])


class Filtering(Memory):
    """Steps between transforms."""

    _fourier: ModuleType

    def pack(self, values: Array) -> Array:
        waves = self.empty(values.shape, self.complex)
        pack.forward(flat(waves), flat(values))
        return waves

    def unpack(self, target: Array, waves: Array) -> None:
        pack.backward(flat(target), flat(waves))

    def spectral_filter(self, waves: Array, mask: Array) -> None:
        spectral.multiply(flat(waves).reshape(-1, mask.size), flat(mask))

    def spectral_wedge(self, spectra: Array, depth: Array, alpha: float, beta: float) -> None:
        spectral.wedge(spectra, depth, self.real.type(alpha), self.real.type(beta))

    def cosine_forward(self, values: Array) -> Array:
        waves, coefficients = self.empty(values.shape, self.complex), self.empty(values.shape, self.real)
        cosine.pack(_planes(waves), _planes(values))
        self._fourier.transform(_planes(waves), True, 1.0)
        cosine.forward(_planes(coefficients), _planes(waves))
        return coefficients

    def cosine_backward(self, coefficients: Array) -> Array:
        waves, values = self.empty(coefficients.shape, self.complex), self.empty(coefficients.shape, self.real)
        cosine.backward(_planes(waves), _planes(coefficients))
        self._fourier.transform(_planes(waves), False, 1 / math.prod(values.shape[-2:]))
        cosine.unpack(_planes(values), _planes(waves))
        return values

    def suppress(self, values: Array, least: Array) -> None:
        select.suppress(flat(values), least[0])

    def denoise(self, values: Array, lateral: float, depth: float, iterations: int) -> None:
        before, dual = self.empty(values.shape, self.real), self._zeros((3, *values.shape), self.real)
        self.copy(before, values)
        weights = (self.real.type(lateral), self.real.type(depth))
        step = self.real.type(1 / (8 * lateral**2 + 4 * depth**2))
        for _ in range(iterations):
            variation.dual(dual, values, *weights, step)
            variation.primal(values, before, dual, *weights)

    def depth_shift(self, amplitude: Array, phase: Array, taps: Array) -> None:
        waves, before = self.empty(phase.shape, self.complex), self.empty(phase.shape, self.real)
        transmission.forward(flat(waves), flat(amplitude), flat(phase))
        self.copy(before, phase)
        columns = (*phase.shape[:2], math.prod(phase.shape[2:]))
        new_amplitude, new_phase, waves, before = (a.reshape(columns) for a in (amplitude, phase, waves, before))
        depth_shift_op.depth_shift(new_amplitude, new_phase, waves, before, taps)


__all__ = ["Filtering"]
