"""Constraint steps on the CPU backend."""

from __future__ import annotations

import math

import numpy as np

from ptycupy.backends.cpu import finite, orthogonalise, ramp, ratio
from ptycupy.backends.cpu import mirror as mirror_op
from ptycupy.backends.cpu import relax as relax_op
from ptycupy.backends.cpu import total_power as total_power_op
from ptycupy.backends.cpu.memory import Memory, blocks, flat
from ptycupy.backends.interface import Array


class Constraining(Memory):
    """Constraint steps, in place."""

    def clamp(self, values: Array, low: float, high: float, relax: float) -> None:
        relax_op.clamp(flat(values), *(self.real.type(scalar) for scalar in (low, high, relax, 1 - relax)))

    def relax(self, values: Array, before: Array, relax: float) -> None:
        arrays = (flat(values).view(self.real), flat(before).view(self.real))
        relax_op.relax(*arrays, self.real.type(relax), self.real.type(1 - relax))

    def scale(self, values: Array, factor: float) -> None:
        values *= self.real.type(factor)

    def subtract_ramp(
        self, values: Array, offset: float, slope: tuple[float, float], centre: tuple[float, float]
    ) -> None:
        ramp.subtract(values, float(offset), *map(float, slope), *map(float, centre))

    def modulate(self, waves: Array, slope: tuple[float, float], centre: tuple[float, float]) -> None:
        ramp.modulate(waves, *map(float, slope), *map(float, centre))

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
        share = float(sums[0]) / (float(sums[1]) + 1e-8)
        target_a, target_p = (
            self.empty(phase.shape, self.real) if a is None else a for a in (new_amplitude, new_phase)
        )
        old = (flat(amplitude), flat(phase))
        ratio.apply(flat(target_a), flat(target_p), *old, share, float(alpha1), float(alpha2))

    def mirror(self, amplitude: Array, phase: Array, scale: float, power: float, relax: float) -> None:
        mirror_op.mirror(flat(amplitude), flat(phase), float(scale), float(power), float(relax))

    def total_power(self, waves: Array) -> Array:
        parts = flat(waves).view(self.real)
        sums = np.empty(blocks(parts.size))
        total_power_op.total_power(sums, parts)
        return sums.sum().reshape(1)

    def rescale_power(self, waves: Array, power: Array, target: float) -> None:
        waves *= self.real.type(math.sqrt(target / float(power[0])))

    def orthogonalise(self, probe: Array) -> None:
        modes = flat(probe).reshape(len(probe), -1)
        orthogonalise.rotate(modes, orthogonalise.eigenvectors(orthogonalise.gram(modes)))

    def recentre(self, shifts: Array, relax: float) -> None:
        shifts -= ((1 - relax) * shifts.mean(0, dtype=np.float64)).astype(self.real)

    def reanchor(self, shifts: Array, corners: Array) -> Array:
        whole = np.rint(shifts)
        shifts -= whole
        corners += whole.astype(corners.dtype)
        return np.concatenate([corners.min(0), corners.max(0)]).astype(np.int32)

    def count_nonfinite(self, values: Array) -> Array:
        counts = np.empty(blocks(values.size), np.int32)
        finite.count_nonfinite(counts, flat(values))
        return counts.sum(dtype=np.int32).reshape(1)


__all__ = ["Constraining"]
