"""The protocol's losses in complex128 NumPy."""

from __future__ import annotations

import numpy as np

from ptycupy.backends.interface import Array
from ptycupy.data.counts import PackedPatterns
from reference.common import INTENSITY_FLOOR, windows
from reference.memory import Memory


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
        values = stored[indices if slots is None else slots[indices]].astype(np.float64)
        counted = np.isfinite(values) & (values >= 0)
        inner = np.where(counted, values * scale[indices].astype(np.float64)[:, None, None], -1.0)
        around = np.zeros(mask.shape) if background is None else np.fft.fftshift(background).astype(np.float64)
        measured = np.broadcast_to(around, (len(indices), *mask.shape)).copy()
        top, left = (new // 2 - old // 2 for new, old in zip(mask.shape, stored.shape[1:], strict=True))
        measured[:, top : top + stored.shape[1], left : left + stored.shape[2]] = inner
        measured = np.fft.ifftshift(measured, axes=(1, 2))
        return np.where((mask != 0) & (weights[indices] != 0)[:, None, None], measured, -1.0)

    def packed_patterns(
        self,
        stored: PackedPatterns,
        indices: Array,
        scale: Array,
        mask: Array,
        weights: Array,
        background: Array | None = None,
    ) -> Array:
        counts = np.zeros((stored.shape[0], np.prod(stored.detector_shape)))
        per_word = 32 // stored.bits if stored.bits else 1
        for i, pattern in enumerate(counts):
            for pixel in range(pattern.size if stored.bits else 0):
                word, place = divmod(pixel, per_word)
                pattern[pixel] = int(stored.words[i, word]) // 2 ** (place * stored.bits) % 2**stored.bits
            for entry in range(int(stored.offsets[i]), int(stored.offsets[i + 1])):
                pattern[stored.pixels[entry]] += stored.extras[entry]
        dense = counts.reshape(stored.shape)
        return self.patterns(dense, indices, scale, mask, weights, background)

    def set_slots(self, slots: Array, indices: Array, first: int) -> None:
        for i, index in enumerate(indices):
            slots[index] = first + i

    def counted_filter(self, values: Array, indices: Array, weights: Array) -> Array:
        taken = values[:, indices].astype(np.float64)
        uncounted = ((taken < 0) & (weights != 0)[None, :, :, None]).any(2)
        return np.where(uncounted, -1.0, np.einsum("aktb,kt->akb", taken, weights.astype(np.float64)))

    @staticmethod
    def _powers(intensity: Array, measured: Array, power: float) -> tuple[Array, Array, Array]:
        """I^p and M^p, both 0 where not counted, and which pixels are."""
        counted = measured >= 0
        modelled = np.where(counted, np.maximum(intensity, INTENSITY_FLOOR) ** power, 0.0)
        return modelled, np.where(counted, np.abs(measured) ** power, 0.0), counted

    @staticmethod
    def _slope_of_power(intensity: Array, power: float) -> Array:
        return power * np.maximum(intensity, INTENSITY_FLOOR) ** (power - 1)

    def gaussian_statistics(self, intensity: Array, measured: Array, power: float) -> Array:
        modelled, data, counted = self._powers(intensity, measured, power)
        return np.array([((modelled - data) ** 2).sum(), data.sum(), counted.sum()])

    def gaussian_value(self, statistics: Array) -> Array:
        squares, data, count = statistics
        return np.array([np.sqrt(squares / count) / (data / count) if data > 0 else 0.0])

    def gaussian_scale(self, statistics: Array) -> Array:
        squares, data, count = statistics
        return np.array([1 / (np.sqrt(squares / count) * data) if squares > 0 and data > 0 else 0.0])

    def gaussian_gradient(
        self, intensity: Array, measured: Array, power: float, statistics: Array, factor: float
    ) -> Array:
        squares, data, count = statistics
        if squares == 0 or data == 0:
            return np.zeros(intensity.shape)
        modelled, observed, counted = self._powers(intensity, measured, power)
        slope = counted * self._slope_of_power(intensity, power)
        return factor * (modelled - observed) * slope / (count * np.sqrt(squares / count) * (data / count))

    def poisson_statistics(self, intensity: Array, measured: Array, power: float, eps: float) -> Array:
        modelled, data, counted = self._powers(intensity, measured, power)
        likelihood = np.where(counted, data * np.log(modelled + eps) - modelled, 0.0)
        return np.array([likelihood.sum(), data.sum(), counted.sum()])

    def poisson_value(self, statistics: Array) -> Array:
        return np.array([-statistics[0] / statistics[1] if statistics[1] > 0 else 0.0])

    def poisson_scale(self, statistics: Array) -> Array:
        return np.array([1 / statistics[1] if statistics[1] > 0 else 0.0])

    def poisson_gradient(
        self, intensity: Array, measured: Array, power: float, eps: float, statistics: Array, factor: float
    ) -> Array:
        if statistics[1] == 0:
            return np.zeros(intensity.shape)
        modelled, data, counted = self._powers(intensity, measured, power)
        slope = counted * self._slope_of_power(intensity, power)
        return -factor * (data / (modelled + eps) - 1) * slope / statistics[1]

    def pacbed_statistics(self, intensity: Array, measured: Array, power: float) -> Array:
        _, data, counted = self._powers(intensity, measured, power)
        sums = [np.where(counted, values, 0.0).sum(0).ravel() for values in (intensity, measured, 1.0)]
        return np.concatenate([*sums, [data.sum(), counted.sum()]])

    @staticmethod
    def _pacbed_means(statistics: Array) -> tuple[Array, Array, Array, float]:
        """Mean I and M per pixel, counts per pixel, mean M^p of the batch."""
        modelled, data, counts = statistics[:-2].reshape(3, -1)
        divisor = np.maximum(counts, 1)
        return modelled / divisor, data / divisor, counts, statistics[-2] / max(statistics[-1], 1)

    def pacbed_value(self, statistics: Array, power: float) -> Array:
        modelled, data, counts, mean = self._pacbed_means(statistics)
        if mean == 0:
            return np.zeros(1)
        counted = counts > 0
        difference = np.maximum(modelled, INTENSITY_FLOOR)[counted] ** power - data[counted] ** power
        return np.array([np.sqrt(np.mean(difference**2)) / mean])

    def pacbed_gradient(self, measured: Array, power: float, statistics: Array, value: Array, factor: float) -> Array:
        modelled, data, counts, mean = self._pacbed_means(statistics)
        if value[0] == 0:
            return np.zeros(measured.shape)
        difference = np.maximum(modelled, INTENSITY_FLOOR) ** power - data**power
        root = value[0] * mean
        pixel = factor * difference * self._slope_of_power(modelled, power) / np.maximum(counts, 1)
        pixel /= (counts > 0).sum() * root * mean
        return np.where(measured >= 0, pixel.reshape(measured.shape[1:]), 0.0)

    def coverage(self, canvas: tuple[int, int], window: tuple[int, int], corners: Array, indices: Array) -> Array:
        covered = np.zeros(canvas, np.int32)
        for _, rows, columns in windows(corners, indices, window):
            covered[rows, columns] += 1
        return covered

    def sparsity_statistics(self, phase: Array, coverage: Array, order: int) -> Array:
        return (coverage * np.abs(phase.astype(np.float64)) ** order).sum((1, 2, 3))

    def sparsity_value(self, statistics: Array, occupancy: Array, count: int, order: int) -> Array:
        return np.array([(occupancy * (statistics / count) ** (1 / order)).sum()])

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
        for o, total in enumerate(statistics):
            if total > 0:
                outer = factor * occupancy[o] * (total / count) ** (1 / order - 1) / count
                values = phase[o].astype(np.float64)
                grad_phase[o] += outer * coverage * np.abs(values) ** (order - 1) * np.sign(values)

    def similarity_statistics(self, patches: Array, occupancy: Array) -> Array:
        if patches.shape[1] == 1:
            return np.zeros(1)
        return np.array([np.std(occupancy[:, None, None, None] * patches, axis=1, ddof=1, dtype=np.float64).sum()])

    def similarity_value(self, statistics: Array, count: int) -> Array:
        return np.asarray(statistics, np.float64) / count

    def similarity_gradient(self, patches: Array, occupancy: Array, factor: float) -> Array:
        modes = patches.shape[1]
        if modes == 1:
            return np.zeros(patches.shape)
        weighted = occupancy[:, None, None, None] * patches.astype(np.float64)
        weighted -= weighted[:, :1]  # equal states then deviate by exactly 0
        away = weighted - weighted.mean(1, keepdims=True)
        deviation = np.sqrt((away**2).sum(1, keepdims=True) / (modes - 1))
        direction = np.divide(away, (modes - 1) * deviation, out=np.zeros_like(away), where=deviation > 0)
        return factor * occupancy[:, None, None, None] * direction
