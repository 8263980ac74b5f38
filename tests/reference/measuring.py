"""The protocol's measuring in NumPy."""

from __future__ import annotations

import numpy as np

from ptycupy.backends.interface import Array
from reference.memory import Memory


class Measuring(Memory):
    def wave_moments(self, waves: Array) -> Array:
        power = np.abs(waves.astype(np.complex128)) ** 2
        y, x = np.ogrid[: waves.shape[1], : waves.shape[2]]
        return np.stack([(power * weight).sum((1, 2)) for weight in (1, y, x, power)], axis=1)

    def plane_moments(self, values: Array, corner: tuple[int, int], shape: tuple[int, int]) -> Array:
        box = values[:, corner[0] : corner[0] + shape[0], corner[1] : corner[1] + shape[1]].astype(np.float64)
        y, x = np.ogrid[: shape[0], : shape[1]]
        middle = (y - (shape[0] - 1) / 2, x - (shape[1] - 1) / 2)
        return np.stack([(box * weight).sum((1, 2)) for weight in (1, *middle)], axis=1)

    def ratio_sums(self, amplitude: Array, phase: Array) -> Array:
        return np.array([np.abs(np.log(np.maximum(amplitude, 1e-8))).sum(), np.abs(phase).sum()])

    def ranked(self, values: Array, rank: int, magnitudes: bool) -> Array:
        return np.sort(np.abs(values.ravel()) if magnitudes else values.ravel())[::-1][rank - 1 : rank]
