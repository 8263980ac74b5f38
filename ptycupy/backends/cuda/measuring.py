"""Sums, moments and ranks on the CUDA backend."""

from __future__ import annotations

import numpy as np

from ptycupy.backends.cuda.memory import Memory
from ptycupy.backends.interface import Array

DIGIT_BITS, DIGITS = 8, 256  # select.cu


class Measuring(Memory):
    """What constraints measure."""

    def wave_moments(self, waves: Array) -> Array:
        rows, height, width = waves.shape
        return self._sums("moments_wave", height * width, 4, waves, height, width, rows=rows)

    def plane_moments(self, values: Array, corner: tuple[int, int], shape: tuple[int, int]) -> Array:
        rows, height, width = values.shape
        arguments = (values, *corner, *shape, height, width)
        return self._sums("moments_plane", shape[0] * shape[1], 3, *arguments, rows=rows)

    def ratio_sums(self, amplitude: Array, phase: Array) -> Array:
        return self._sums("ratio_sums", phase.size, 2, amplitude, phase, phase.size).reshape(2)

    def ranked(self, values: Array, rank: int, magnitudes: bool) -> Array:
        state = self.empty((2,), np.uint64)
        self._launch("select_begin", 1, state, rank)
        for shift in reversed(range(0, 8 * self.real.itemsize, DIGIT_BITS)):
            arguments = (values, state, shift, int(magnitudes), values.size)
            counts = self._sums("select_count", values.size, DIGITS, *arguments)
            self._launch("select_digit", 1, state, counts, shift)
        value = self._device.alloc((1,), self.real)
        self._launch("select_value", 1, value, state, int(magnitudes))
        return value


__all__ = ["Measuring"]
