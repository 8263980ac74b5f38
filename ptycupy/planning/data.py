"""What patterns and losses cost; see `backends.interface.losses`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ptycupy.backends.cuda.reading import pattern_arguments
from ptycupy.backends.interface import Array
from ptycupy.backends.interface.losses import StoredPatterns
from ptycupy.data.counts import PackedPatterns
from ptycupy.planning.ledger import ROOT
from ptycupy.planning.memory import Memory, op


def powers(power: float, count: float) -> tuple[float, float]:
    """Flops and elementary functions of so many numbers to this power."""
    if power == 1:
        return 0.0, 0.0
    return (ROOT * count, 0.0) if power == 0.5 else (0.0, count)


def reading(count: int, measured: tuple[Any, ...]) -> tuple[int, float]:
    """Bytes and elementary functions of so many measured patterns, given as kernels are given them. Every packed
    pattern's list is as long as on average; where codes have no bits, every pixel is looked for in it."""
    stored, _, _, scale, mask, _, background, words, offsets, extras, bits, _, *shape = measured
    pixels = count * shape[2] * shape[3]
    if scale is None:
        return int(stored.nbytes), 0.0
    around = mask.nbytes + (0 if background is None else background.nbytes)
    if offsets is None:
        return int(count * shape[0] * shape[1] * stored.dtype.itemsize + around), pixels
    patterns = offsets.size - 1
    packed = sum(array.nbytes for array in (words, offsets, stored, extras) if array is not None)
    looked = 0.0 if bits else pixels * math.log2(1 + stored.size / patterns)
    return int(count * packed // patterns + around), pixels + looked


class Data(Memory):
    """Statistics outlive the arena."""

    def _statistics(self, count: int, *arrays: Array | None, flops: float = 0.0, elementary: float = 0.0) -> Array:
        self._traffic(arrays, (8 * count,), flops, 2, elementary)
        return self.alloc((count,), np.float64)

    def _scalar(self, statistics: Array, elementary: float = 0.0) -> Array:
        """From a kernel of one thread."""
        self._traffic((statistics,), (8,), 1.0, 1, elementary)
        return self.alloc((1,), np.float64)

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
        return self._decoded(StoredPatterns(stored, indices, scale, mask, weights, background, slots))

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
        return self._decoded(StoredPatterns(stored, indices, scale, mask, weights, background))

    def _decoded(self, stored: StoredPatterns) -> Array:
        values = self.empty(stored.shape, self.real)
        read, elementary = reading(stored.shape[0], pattern_arguments(stored))
        self._traffic((read,), (values,), elementary=elementary)
        return values

    def set_slots(self, slots: Array, indices: Array, first: int) -> None:
        self._traffic((indices,), (indices,))

    @op
    def counted_filter(self, values: Array, indices: Array, weights: Array) -> Array:
        out = self.empty((values.shape[0], indices.shape[0], values.shape[2]), self.real)
        self._traffic((values, indices, weights), (out,), 2 * indices.shape[1] * out.size)
        return out

    @op
    def gaussian_statistics(self, intensity: Array, measured: Array, power: float) -> Array:
        flops, elementary = powers(power, 2 * intensity.size)
        return self._statistics(3, intensity, measured, flops=flops + 4 * intensity.size, elementary=elementary)

    @op
    def gaussian_value(self, statistics: Array) -> Array:
        return self._scalar(statistics, 1)

    @op
    def gaussian_scale(self, statistics: Array) -> Array:
        return self._scalar(statistics, 1)

    @op
    def gaussian_gradient(
        self, intensity: Array, measured: Array, power: float, statistics: Array, factor: float
    ) -> Array:
        grad = self.empty(intensity.shape, self.real)
        flops, elementary = powers(power, 2 * grad.size)
        self._traffic((intensity, measured), (grad,), flops + 4 * grad.size, 1, elementary)
        return grad

    @op
    def poisson_statistics(self, intensity: Array, measured: Array, power: float, eps: float) -> Array:
        flops, elementary = powers(power, 2 * intensity.size)
        elementary += intensity.size  # logarithms
        return self._statistics(3, intensity, measured, flops=flops + 4 * intensity.size, elementary=elementary)

    @op
    def poisson_value(self, statistics: Array) -> Array:
        return self._scalar(statistics)

    @op
    def poisson_scale(self, statistics: Array) -> Array:
        return self._scalar(statistics)

    @op
    def poisson_gradient(
        self, intensity: Array, measured: Array, power: float, eps: float, statistics: Array, factor: float
    ) -> Array:
        grad = self.empty(intensity.shape, self.real)
        flops, elementary = powers(power, 2 * grad.size)
        self._traffic((intensity, measured), (grad,), flops + 6 * grad.size, 1, elementary)
        return grad

    @op
    def pacbed_statistics(self, intensity: Array, measured: Array, power: float) -> Array:
        self._traffic((intensity, measured), (), 4 * intensity.size)
        count = 3 * intensity[0].size + 2
        return self._statistics(count, measured, elementary=measured.size)

    @op
    def pacbed_value(self, statistics: Array, power: float) -> Array:
        self._squares(statistics)
        return self._scalar(statistics)

    @op
    def pacbed_gradient(self, measured: Array, power: float, statistics: Array, value: Array, factor: float) -> Array:
        self._squares(statistics)
        pixel, grad = self.empty((statistics.size // 3,), self.real), self.empty(measured.shape, self.real)
        self._traffic((statistics,), (pixel,), 0, 1, pixel.size)
        self._traffic((pixel, measured), (grad,), grad.size)
        return grad

    def _squares(self, statistics: Array) -> None:
        self._traffic((statistics,), (16,), 0, 2, statistics.size)

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
        return self._scalar(statistics, 1)

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
        return self._scalar(statistics)

    @op
    def similarity_gradient(self, patches: Array, occupancy: Array, factor: float) -> Array:
        grad = self.empty(patches.shape, self.real)
        self._traffic((patches,), (grad,), 8 * patches.size)
        return grad


__all__ = ["Data"]
