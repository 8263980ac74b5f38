"""The losses on the CUDA backend: statistics, value and gradient, all on the device."""

from __future__ import annotations

import math

import numpy as np

from ptycupy.backends.cuda.launch import Blocks, Rows, parts_of
from ptycupy.backends.cuda.memory import Memory
from ptycupy.backends.cuda.reading import pattern_arguments
from ptycupy.backends.interface import Array
from ptycupy.backends.interface.losses import StoredPatterns
from ptycupy.data.counts import PackedPatterns


class Losses(Memory):
    """Statistics are float64 and kept; values are float64 [1]."""

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
        rows = Rows(stored.indices.size, stored.mask.size)
        self._launch("patterns", rows, values, *pattern_arguments(stored))
        return values

    def set_slots(self, slots: Array, indices: Array, first: int) -> None:
        self._launch("set_slots", indices.size, slots, indices, first, indices.size)

    def counted_filter(self, values: Array, indices: Array, weights: Array) -> Array:
        outer, length, inner = values.shape
        rows, taps = indices.shape
        out = self.empty((outer, rows, inner), self.real)
        arguments = (out, values, indices, weights, length, rows, taps, inner, out.size)
        self._launch("counted_filter", out.size, *arguments)
        return out

    def gaussian_statistics(self, intensity: Array, measured: Array, power: float) -> Array:
        count = measured.size
        return self._sums("gaussian_statistics", count, 3, intensity, measured, power, count).reshape(3)

    def gaussian_value(self, statistics: Array) -> Array:
        return self._scalar("gaussian_value", statistics)

    def gaussian_scale(self, statistics: Array) -> Array:
        return self._scalar("gaussian_scale", statistics)

    def gaussian_gradient(
        self, intensity: Array, measured: Array, power: float, statistics: Array, factor: float
    ) -> Array:
        grad, count = self.empty(intensity.shape, self.real), intensity.size
        self._launch("gaussian_gradient", count, grad, intensity, measured, statistics, power, factor, count)
        return grad

    def poisson_statistics(self, intensity: Array, measured: Array, power: float, eps: float) -> Array:
        count = measured.size
        return self._sums("poisson_statistics", count, 3, intensity, measured, power, eps, count).reshape(3)

    def poisson_value(self, statistics: Array) -> Array:
        return self._scalar("poisson_value", statistics)

    def poisson_scale(self, statistics: Array) -> Array:
        return self._scalar("poisson_scale", statistics)

    def poisson_gradient(
        self, intensity: Array, measured: Array, power: float, eps: float, statistics: Array, factor: float
    ) -> Array:
        grad, count = self.empty(intensity.shape, self.real), intensity.size
        self._launch("poisson_gradient", count, grad, intensity, measured, statistics, power, eps, factor, count)
        return grad

    def pacbed_statistics(self, intensity: Array, measured: Array, power: float) -> Array:
        patterns, pixels = measured.shape[0], measured.shape[1] * measured.shape[2]
        statistics = self._device.alloc((3 * pixels + 2,), np.float64)
        self._launch("pacbed_statistics", pixels, statistics, intensity, measured, patterns, pixels)
        self._sums("pacbed_data", measured.size, 2, measured, power, measured.size, out=statistics[3 * pixels :])
        return statistics

    def pacbed_value(self, statistics: Array, power: float) -> Array:
        pixels = statistics.size // 3
        return self._scalar("pacbed_value", self._pacbed_squares(statistics, power), statistics, pixels)

    def pacbed_gradient(self, measured: Array, power: float, statistics: Array, value: Array, factor: float) -> Array:
        patterns, pixels = measured.shape[0], statistics.size // 3
        squares = self._pacbed_squares(statistics, power)
        pixel = self.empty((pixels,), self.real)
        arguments = (pixel, statistics, squares, value, power, factor, pixels)
        self._launch("pacbed_gradient_pixel", pixels, *arguments)
        grad = self.empty(measured.shape, self.real)
        self._launch("pacbed_gradient", Rows(patterns, pixels), grad, pixel, measured, pixels)
        return grad

    def _pacbed_squares(self, statistics: Array, power: float) -> Array:
        pixels = statistics.size // 3
        return self._sums("pacbed_squares", pixels, 2, statistics, power, pixels)

    def coverage(self, canvas: tuple[int, int], window: tuple[int, int], corners: Array, indices: Array) -> Array:
        counts = self.empty(canvas, np.int32)
        self._device.clear(counts)
        rows = Rows(indices.size, window[0] * window[1])
        self._launch("coverage", rows, counts, corners, indices, canvas[1], *window)
        return counts

    def sparsity_statistics(self, phase: Array, coverage: Array, order: int) -> Array:
        modes, columns = phase.shape[0], phase.size // phase.shape[0]
        arguments = (phase, coverage, order, coverage.size, columns)
        return self._sums("sparsity_statistics", columns, 1, *arguments, rows=modes).reshape(modes)

    def sparsity_value(self, statistics: Array, occupancy: Array, count: int, order: int) -> Array:
        return self._scalar("sparsity_value", statistics, occupancy, count, order, occupancy.size)

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
        columns = phase.size // phase.shape[0]
        sizes = (order, coverage.size, columns, phase.size)
        arguments = (grad_phase, phase, coverage, statistics, occupancy, count, factor, *sizes)
        self._launch("sparsity_gradient", phase.size, *arguments)

    def similarity_statistics(self, patches: Array, occupancy: Array) -> Array:
        patterns, modes = patches.shape[:2]
        columns = math.prod(patches.shape[2:])
        partials = self._partials("similarity_statistics", patterns, columns, 1, patches, occupancy, modes, columns)
        sums = self._device.alloc((1,), np.float64)
        self._launch("reduce", Blocks(1), sums, partials, patterns * parts_of(columns), 1)
        return sums

    def similarity_value(self, statistics: Array, count: int) -> Array:
        return self._scalar("similarity_value", statistics, count)

    def similarity_gradient(self, patches: Array, occupancy: Array, factor: float) -> Array:
        patterns, modes = patches.shape[:2]
        columns = math.prod(patches.shape[2:])
        grad = self.empty(patches.shape, self.real)
        sizes = (modes, columns, patterns * columns)
        self._launch("similarity_gradient", patterns * columns, grad, patches, occupancy, factor, *sizes)
        return grad


__all__ = ["Losses"]
