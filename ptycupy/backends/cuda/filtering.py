"""Filters on the CUDA backend."""

from __future__ import annotations

import math

from ptycupy.backends.cuda.launch import Rows
from ptycupy.backends.cuda.memory import Memory
from ptycupy.backends.interface import Array


class Filtering(Memory):
    """Steps between transforms."""

    def pack(self, values: Array) -> Array:
        waves = self.empty(values.shape, self.complex)
        self._launch("pack_forward", values.size, waves, values, values.size)
        return waves

    def unpack(self, target: Array, waves: Array) -> None:
        self._launch("pack_backward", target.size, target, waves, target.size)

    def spectral_filter(self, waves: Array, mask: Array) -> None:
        self._launch("spectral_filter", waves.size, waves, mask, mask.size, waves.size)

    def spectral_wedge(self, spectra: Array, depth: Array, alpha: float, beta: float) -> None:
        self._launch("spectral_wedge", spectra.size, spectra, depth, alpha, beta, *spectra.shape[1:], spectra.size)

    def cosine_forward(self, values: Array) -> Array:
        rows, *sizes = self._stack(values)
        waves, coefficients = self.empty(values.shape, self.complex), self.empty(values.shape, self.real)
        self._launch("cosine_pack", rows, waves, values, *sizes)
        self._fft.forward(waves)
        self._launch("cosine_forward", rows, coefficients, waves, *sizes)
        return coefficients

    def cosine_backward(self, coefficients: Array) -> Array:
        rows, *sizes = self._stack(coefficients)
        waves, values = self.empty(coefficients.shape, self.complex), self.empty(coefficients.shape, self.real)
        self._launch("cosine_backward", rows, waves, coefficients, 1 / math.prod(sizes), *sizes)
        self._fft.inverse(waves)
        self._launch("cosine_unpack", rows, values, waves, *sizes)
        return values

    @staticmethod
    def _stack(values: Array) -> tuple[Rows, int, int]:
        height, width = values.shape[-2:]
        return Rows(values.size // (height * width), height * width), height, width

    def suppress(self, values: Array, least: Array) -> None:
        self._launch("select_suppress", values.size, values, least, values.size)

    def denoise(self, values: Array, lateral: float, depth: float, iterations: int) -> None:
        before, dual = self.empty(values.shape, self.real), self.empty((3, *values.shape), self.real)
        self.copy(before, values)
        self.fill(dual, 0.0)
        step, sizes = 1 / (8 * lateral**2 + 4 * depth**2), (*values.shape[1:], values.size)
        for _ in range(iterations):
            self._launch("variation_dual", values.size, dual, values, lateral, depth, step, *sizes)
            self._launch("variation_primal", values.size, values, before, dual, lateral, depth, *sizes)

    def depth_shift(self, amplitude: Array, phase: Array, taps: Array) -> None:
        transmission, before = self.empty(phase.shape, self.complex), self.empty(phase.shape, self.real)
        self._launch("transmission_forward", phase.size, transmission, amplitude, phase, phase.size)
        self.copy(before, phase)
        sizes = (phase.shape[1], math.prod(phase.shape[2:]), phase.size)
        self._launch("depth_shift", phase.size, amplitude, phase, transmission, before, taps, *sizes)


__all__ = ["Filtering"]
