"""The methods of CpuBackend between measured patterns and loss terms."""

from __future__ import annotations

import numpy as np

from ptycupy.backends.cpu import coverage as coverage_op
from ptycupy.backends.cpu import gaussian, pacbed, poisson, similarity, sparsity
from ptycupy.backends.cpu import packed_patterns as packed_op
from ptycupy.backends.cpu import patterns as patterns_op
from ptycupy.backends.cpu.counted_filter import counted_filter
from ptycupy.backends.cpu.memory import Memory, blocks
from ptycupy.backends.cpu.scalar import power_kind
from ptycupy.backends.cpu.windows import row_bands
from ptycupy.backends.interface import Array
from ptycupy.data.counts import PackedPatterns


def _rows(patterns: Array) -> Array:
    """[n ky, kx] of contiguous [n, ky, kx]."""
    return patterns.reshape(-1, patterns.shape[-1])


def _stacked(patterns: Array) -> Array:
    """[n, ky kx] of contiguous [n, ky, kx]."""
    return patterns.reshape(len(patterns), -1)


class Losses(Memory):
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
        source, rows = patterns_op.readable(stored, indices if slots is None else slots[indices])
        measured = self.empty((len(indices), *mask.shape), self.real)
        around = np.empty((0, 0), self.real) if background is None else self._reals(background)
        patterns_op.patterns(measured, source, rows, indices, self._reals(scale), mask, weights, around)
        return measured

    def packed_patterns(
        self,
        stored: PackedPatterns,
        indices: Array,
        scale: Array,
        mask: Array,
        weights: Array,
        background: Array | None = None,
    ) -> Array:
        measured = self.empty((len(indices), *mask.shape), self.real)
        around = np.empty((0, 0), self.real) if background is None else self._reals(background)
        words = np.empty((0, 0), np.uint32) if stored.words is None else stored.words
        packed = words, stored.offsets, stored.pixels, stored.extras, stored.bits, *stored.detector_shape
        packed_op.packed_patterns(measured, *packed, indices, self._reals(scale), mask, weights, around)
        return measured

    def set_slots(self, slots: Array, indices: Array, first: int) -> None:
        slots[indices] = np.arange(first, first + len(indices), dtype=np.int32)

    def counted_filter(self, values: Array, indices: Array, weights: Array) -> Array:
        out = self.empty((values.shape[0], len(indices), values.shape[2]), self.real)
        counted_filter(out, values, indices, self._reals(weights))
        return out

    # --- gaussian and poisson ---------------------------------------------------------------------------------
    def gaussian_statistics(self, intensity: Array, measured: Array, power: float) -> Array:
        rows = _rows(intensity)
        sums = np.empty((len(rows), 3))
        gaussian.statistics(sums, rows, _rows(measured), self.real.type(power), power_kind(power))
        return sums.sum(0)

    def gaussian_value(self, statistics: Array) -> Array:
        return gaussian.value(statistics)

    def gaussian_scale(self, statistics: Array) -> Array:
        return np.array([gaussian.outer_factor(statistics, 1.0, 1.0)])

    def gaussian_gradient(
        self, intensity: Array, measured: Array, power: float, statistics: Array, factor: float
    ) -> Array:
        grad = self.empty(intensity.shape, self.real)
        outer = self.real.type(gaussian.outer_factor(statistics, power, factor))
        arrays = (_rows(grad), _rows(intensity), _rows(measured))
        gaussian.gradient(*arrays, self.real.type(power), power_kind(power), outer)
        return grad

    def poisson_statistics(self, intensity: Array, measured: Array, power: float, eps: float) -> Array:
        rows = _rows(intensity)
        sums = np.empty((len(rows), 3))
        scalars = (self.real.type(power), power_kind(power), self.real.type(eps))
        poisson.statistics(sums, rows, _rows(measured), *scalars)
        return sums.sum(0)

    def poisson_value(self, statistics: Array) -> Array:
        return poisson.value(statistics)

    def poisson_scale(self, statistics: Array) -> Array:
        return np.array([poisson.outer_factor(statistics, 1.0, 1.0)])

    def poisson_gradient(
        self, intensity: Array, measured: Array, power: float, eps: float, statistics: Array, factor: float
    ) -> Array:
        grad = self.empty(intensity.shape, self.real)
        outer = self.real.type(poisson.outer_factor(statistics, power, factor))
        arrays = (_rows(grad), _rows(intensity), _rows(measured))
        poisson.gradient(*arrays, self.real.type(power), power_kind(power), self.real.type(eps), outer)
        return grad

    # --- position-averaged patterns ---------------------------------------------------------------------------
    def pacbed_statistics(self, intensity: Array, measured: Array, power: float) -> Array:
        pixels = intensity[0].size
        result = np.zeros(3 * pixels + 2)
        scalars = np.zeros((blocks(pixels), 2))
        arrays = (result[:-2].reshape(3, pixels), scalars, _stacked(intensity), _stacked(measured))
        pacbed.statistics(*arrays, self.real.type(power), power_kind(power))
        result[-2:] = scalars.sum(0)
        return result

    def pacbed_value(self, statistics: Array, power: float) -> Array:
        return pacbed.value(statistics, float(power), power_kind(power))

    def pacbed_gradient(self, measured: Array, power: float, statistics: Array, value: Array, factor: float) -> Array:
        grad = self.empty(measured.shape, self.real)
        pixel = np.empty(measured[0].size)
        arrays = (_stacked(grad), pixel, _stacked(measured))
        pacbed.gradient(*arrays, float(power), power_kind(power), statistics, float(value[0]), float(factor))
        return grad

    # --- regularisers -----------------------------------------------------------------------------------------
    def coverage(self, canvas: tuple[int, int], window: tuple[int, int], corners: Array, indices: Array) -> Array:
        counts = self._zeros(canvas, np.int32)
        coverage_op.coverage(counts, window, corners, indices, row_bands(corners, indices, window, canvas))
        return counts

    def sparsity_statistics(self, phase: Array, coverage: Array, order: int) -> Array:
        sums = np.empty((phase.shape[0], phase.shape[1] * phase.shape[2]))
        sparsity.statistics(sums, phase, coverage, order)
        return sums.sum(1)

    def sparsity_value(self, statistics: Array, occupancy: Array, count: int, order: int) -> Array:
        return sparsity.value(statistics, occupancy, count, order)

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
        outer = sparsity.outer_factors(statistics, occupancy, count, order, factor)
        sparsity.gradient(grad_phase, phase, coverage, order, outer)

    def similarity_statistics(self, patches: Array, occupancy: Array) -> Array:
        if patches.shape[1] == 1:  # a single state has nothing to differ from
            return np.zeros(1)
        stacked = patches.reshape(*patches.shape[:2], -1)
        sums = np.empty((len(patches), blocks(stacked.shape[2])))
        similarity.statistics(sums, stacked, self._reals(occupancy))
        return sums.sum().reshape(1)

    def similarity_value(self, statistics: Array, count: int) -> Array:
        return np.asarray(statistics, np.float64) / count

    def similarity_gradient(self, patches: Array, occupancy: Array, factor: float) -> Array:
        if patches.shape[1] == 1:
            return self._zeros(patches.shape, self.real)
        grad = self.empty(patches.shape, self.real)
        stacked = patches.reshape(*patches.shape[:2], -1)
        similarity.gradient(grad.reshape(stacked.shape), stacked, self._reals(occupancy), float(factor))
        return grad


__all__ = ["Losses"]
