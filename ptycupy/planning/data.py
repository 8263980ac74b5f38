"""What patterns and losses cost; see `backends.interface.losses`."""

from __future__ import annotations

import math

import numpy as np

from ptycupy.backends.interface import Array
from ptycupy.data.counts import PackedPatterns
from ptycupy.planning.ledger import ELEMENTARY
from ptycupy.planning.memory import Memory, op


class Data(Memory):
    """Statistics outlive the arena."""

    def _statistics(self, count: int, *arrays: Array | None, flops: float) -> Array:
        self._traffic(arrays, (8 * count,), flops, launches=2)
        return self.alloc((count,), np.float64)

    @op
    def patterns(
        self,
        stored: Array,
        indices: Array,
        scale: Array,
        mask: Array,
        weights: Array,
        background: Array | None = None,
        slots: Array | None = None,
    ) -> Array:
        measured = self.empty((indices.size, *mask.shape), self.real)
        read = indices.size * math.prod(stored.shape[1:]) * stored.dtype.itemsize
        self._traffic((read, mask, background), (measured,), measured.size)
        return measured

    @op
    def packed_patterns(
        self,
        stored: PackedPatterns,
        indices: Array,
        scale: Array,
        mask: Array,
        weights: Array,
        background: Array | None = None,
    ) -> Array:
        """Every pattern's list is as long as on average; where codes have no bits, every pixel is looked for in it."""
        measured = self.empty((indices.size, *mask.shape), self.real)
        count = stored.shape[0]
        looked = 0 if stored.bits else measured.size * math.log2(1 + stored.pixels.size / count)
        read = indices.size * stored.nbytes // count
        self._traffic((read, mask, background), (measured,), measured.size + looked)
        return measured

    def set_slots(self, slots: Array, indices: Array, first: int) -> None:
        self._traffic((indices,), (indices,))

    @op
    def counted_filter(self, values: Array, indices: Array, weights: Array) -> Array:
        out = self.empty((values.shape[0], indices.shape[0], values.shape[2]), self.real)
        self._traffic((values, indices, weights), (out,), 2 * indices.shape[1] * out.size)
        return out

    @op
    def gaussian_statistics(self, intensity: Array, measured: Array, power: float) -> Array:
        flops = (2 * ELEMENTARY + 4) * intensity.size
        return self._statistics(3, intensity, measured, flops=flops)

    @op
    def gaussian_value(self, statistics: Array) -> Array:
        return self._statistics(1, statistics, flops=ELEMENTARY)

    @op
    def gaussian_scale(self, statistics: Array) -> Array:
        return self._statistics(1, statistics, flops=ELEMENTARY)

    @op
    def gaussian_gradient(
        self, intensity: Array, measured: Array, power: float, statistics: Array, factor: float
    ) -> Array:
        grad = self.empty(intensity.shape, self.real)
        self._traffic((intensity, measured), (grad,), (2 * ELEMENTARY + 4) * grad.size)
        return grad

    @op
    def poisson_statistics(self, intensity: Array, measured: Array, power: float, eps: float) -> Array:
        flops = (3 * ELEMENTARY + 4) * intensity.size
        return self._statistics(3, intensity, measured, flops=flops)

    @op
    def poisson_value(self, statistics: Array) -> Array:
        return self._statistics(1, statistics, flops=1)

    @op
    def poisson_scale(self, statistics: Array) -> Array:
        return self._statistics(1, statistics, flops=1)

    @op
    def poisson_gradient(
        self, intensity: Array, measured: Array, power: float, eps: float, statistics: Array, factor: float
    ) -> Array:
        grad = self.empty(intensity.shape, self.real)
        self._traffic((intensity, measured), (grad,), (2 * ELEMENTARY + 6) * grad.size)
        return grad

    @op
    def pacbed_statistics(self, intensity: Array, measured: Array, power: float) -> Array:
        count = 3 * intensity[0].size + 2
        flops = (ELEMENTARY + 4) * intensity.size
        return self._statistics(count, intensity, measured, measured, flops=flops)

    @op
    def pacbed_value(self, statistics: Array, power: float) -> Array:
        return self._statistics(1, statistics, flops=ELEMENTARY * statistics.size)

    @op
    def pacbed_gradient(self, measured: Array, power: float, statistics: Array, value: Array, factor: float) -> Array:
        grad = self.empty(measured.shape, self.real)
        self._traffic((measured, statistics), (grad,), ELEMENTARY * statistics.size + grad.size, launches=2)
        return grad

    @op
    def coverage(self, canvas: tuple[int, int], window: tuple[int, int], corners: Array, indices: Array) -> Array:
        counts = self.empty(canvas, np.int32)
        covered = 4 * indices.size * math.prod(window)
        self._traffic((covered,), (counts, covered), covered / 4, launches=2)
        return counts

    @op
    def sparsity_statistics(self, phase: Array, coverage: Array, order: int) -> Array:
        return self._statistics(phase.shape[0], phase, coverage, flops=4 * phase.size)

    @op
    def sparsity_value(self, statistics: Array, occupancy: Array, count: int, order: int) -> Array:
        return self._statistics(1, statistics, flops=ELEMENTARY)

    @op
    def sparsity_gradient(
        self,
        phase: Array,
        coverage: Array,
        order: int,
        statistics: Array,
        occupancy: Array,
        count: int,
        factor: float,
        grad_phase: Array,
    ) -> None:
        self._traffic((phase, coverage, grad_phase), (grad_phase,), 4 * phase.size)

    @op
    def similarity_statistics(self, patches: Array, occupancy: Array) -> Array:
        return self._statistics(1, patches, flops=5 * patches.size)

    @op
    def similarity_value(self, statistics: Array, count: int) -> Array:
        return self._statistics(1, statistics, flops=1)

    @op
    def similarity_gradient(self, patches: Array, occupancy: Array, factor: float) -> Array:
        grad = self.empty(patches.shape, self.real)
        self._traffic((patches,), (grad,), 8 * patches.size)
        return grad


__all__ = ["Data"]
