"""Constraint steps on the CUDA backend."""

from __future__ import annotations

import numpy as np

from ptycupy.backends.cuda.launch import Blocks, Rows
from ptycupy.backends.cuda.memory import Memory
from ptycupy.backends.interface import Array


class Constraining(Memory):
    """Constraint steps, in place."""

    def clamp(self, values: Array, low: float, high: float, relax: float) -> None:
        self._launch("clamp", values.size, values, low, high, relax, 1 - relax, values.size)

    def relax(self, values: Array, before: Array, relax: float) -> None:
        values, before = self._reals(values), self._reals(before)
        self._launch("relax", values.size, values, before, relax, 1 - relax, values.size)

    def scale(self, values: Array, factor: float) -> None:
        values = self._reals(values)
        self._launch("scale", values.size, values, factor, values.size)

    def subtract_ramp(
        self, values: Array, offset: float, slope: tuple[float, float], centre: tuple[float, float]
    ) -> None:
        rows, height, width = values.shape
        self._launch("ramp_subtract", Rows(rows, height * width), values, offset, *slope, *centre, height, width)

    def modulate(self, waves: Array, slope: tuple[float, float], centre: tuple[float, float]) -> None:
        rows, height, width = waves.shape
        self._launch("ramp_modulate", Rows(rows, height * width), waves, *slope, *centre, height, width)

    def apply_ratio(
        self,
        new_amplitude: Array | None,
        new_phase: Array | None,
        amplitude: Array,
        phase: Array,
        sums: Array,
        alpha1: float,
        alpha2: float,
    ) -> None:
        arrays = (new_amplitude, new_phase, amplitude, phase, sums)
        self._launch("ratio_apply", phase.size, *arrays, alpha1, alpha2, phase.size)

    def mirror(self, amplitude: Array, phase: Array, scale: float, power: float, relax: float) -> None:
        self._launch("mirror", phase.size, amplitude, phase, scale, power, relax, 1 - relax, phase.size)

    def total_power(self, waves: Array) -> Array:
        return self._sums("total_power", waves.size, 1, waves, waves.size).reshape(1)

    def rescale_power(self, waves: Array, power: Array, target: float) -> None:
        self._launch("rescale_power", waves.size, waves, power, target, waves.size)

    def orthogonalise(self, probe: Array) -> None:
        modes, pixels = probe.shape[0], probe.size // probe.shape[0]
        sums = self._sums("orthogonalise_gram", pixels, 2, probe, modes, pixels, rows=modes**2)
        gram = sums.view(np.complex128)
        vectors, scratch = (self.empty((modes, modes), np.complex128) for _ in range(2))
        self._launch("orthogonalise_eigen", Blocks(1), vectors, scratch, gram, modes)
        rotated = self.empty(probe.shape, self.complex)
        self._launch("orthogonalise_rotate", Rows(modes, pixels), rotated, probe, vectors, modes, pixels)
        self.copy(probe, rotated)

    def recentre(self, shifts: Array, relax: float) -> None:
        count = shifts.shape[0]
        sums = self._sums("recentre_sums", count, 2, shifts, count)
        self._launch("recentre", 2 * count, shifts, sums, 1 - relax, 2 * count)

    def reanchor(self, shifts: Array, corners: Array) -> Array:
        limits = self._device.alloc((4,), np.int32)
        self._launch("reanchor", Blocks(1), shifts, corners, limits, shifts.shape[0])
        return limits

    def count_nonfinite(self, values: Array) -> Array:
        counts = self.zeros((1,), np.int32)
        self._launch("count_nonfinite", values.size, counts, values, values.size)
        return counts


__all__ = ["Constraining"]
