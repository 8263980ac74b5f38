"""Sums, moments and ranks on the CPU backend."""

from __future__ import annotations

import numpy as np

from ptycupy.backends.cpu import moments, ratio
from ptycupy.backends.cpu.memory import Memory, blocks, flat
from ptycupy.backends.interface import Array


class Measuring(Memory):
    """What constraints measure."""

    def wave_moments(self, waves: Array) -> Array:
        sums = np.empty((*waves.shape[:2], 4))
        moments.waves(sums, waves)
        return sums.sum(1)

    def plane_moments(self, values: Array, corner: tuple[int, int], shape: tuple[int, int]) -> Array:
        (top, left), (height, width) = corner, shape
        sums = np.empty((len(values), height, 3))
        moments.planes(sums, values[:, top : top + height, left : left + width])
        return sums.sum(1)

    def ratio_sums(self, amplitude: Array, phase: Array) -> Array:
        sums = np.empty((blocks(phase.size), 2))
        ratio.sums(sums, flat(amplitude), flat(phase))
        return sums.sum(0)

    def ranked(self, values: Array, rank: int, magnitudes: bool) -> Array:
        place = values.size - rank
        keys = np.abs(flat(values)) if magnitudes else flat(values)
        return np.partition(keys, place)[place : place + 1].copy()


__all__ = ["Measuring"]
