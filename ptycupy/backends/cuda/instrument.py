"""The optional parameters' ops on the CUDA backend."""

from __future__ import annotations

from typing import Any

import numpy as np

from ptycupy.backends.cuda.launch import Blocks, Rows, parts_of
from ptycupy.backends.cuda.memory import Memory
from ptycupy.backends.interface import Array


class Instrument(Memory):
    """What the instrument adds to the model."""

    def scan_affine_forward(self, shifts: Array, nominal: Array, indices: Array, affine: Array) -> Array:
        moved = self.empty(shifts.shape, self.real)
        self._launch("scan_affine_forward", len(shifts), moved, shifts, nominal, indices, affine, len(shifts))
        return moved

    def scan_affine_backward(
        self, grad: Array, nominal: Array, indices: Array, affine: Array, grad_affine: Array
    ) -> None:
        count = len(grad)
        sums = self._sums("scan_affine_backward_sums", count, 4, grad, nominal, indices, count)
        self._launch("scan_affine_backward", 1, grad_affine, sums, affine, 1)

    def aberrate_forward(self, coefficients: Array, basis: Array) -> Array:
        terms, height, width = basis.shape
        plate = self.empty((1, 1, height, width), self.complex)
        self._launch("aberrate_forward", plate.size, plate, coefficients, basis, terms, plate.size)
        return plate

    def aberrate_backward(self, grad: Array, plate: Array, basis: Array, grad_coefficients: Array) -> None:
        self._add_sums(
            "aberrate_backward", basis.shape[0], plate.size, 1, grad_coefficients, grad, plate, basis, plate.size
        )

    def vary_forward(self, waves: Array, weights: Array) -> Array:
        patterns, _, modes, height, width = waves.shape
        variations, pixels = weights.shape[1], height * width
        varied = self.empty((patterns, 1, modes - variations, height, width), self.complex)
        sizes = (modes - variations, variations, pixels)
        self._launch("vary_forward", Rows(patterns, pixels), varied, waves, weights, *sizes)
        return varied

    def vary_backward(self, grad: Array, waves: Array, weights: Array, grad_weights: Array | None) -> Array:
        patterns, _, modes, height, width = waves.shape
        variations, pixels = weights.shape[1], height * width
        grad_waves, sizes = self.empty(waves.shape, self.complex), (modes - variations, variations)
        self._launch("vary_backward", Rows(patterns, pixels), grad_waves, grad, weights, *sizes, pixels)
        if grad_weights is not None:
            rows = patterns * variations
            self._add_sums("vary_backward_weights", rows, pixels, 1, grad_weights, grad, waves, *sizes, pixels)
        return grad_waves

    def normalise_variations(self, probe: Array, variations: Array, weights: Array, power: float) -> None:
        (positions, count), pixels = weights.shape, probe[0].size
        lower = self._sums("normalise_variations_gram", pixels, 1, variations, count, pixels, rows=count**2)
        means = self._sums("normalise_variations_means", positions, 1, weights, count, positions, rows=count)
        inverse = self.empty((count, count), np.float64)
        self._launch("normalise_variations_factor", 1, lower, inverse, power, count, 1)
        share = 1 / positions
        arguments = (probe, variations, means, inverse, share, count, pixels)
        self._launch("normalise_variations_waves", pixels, *arguments)
        self._launch("normalise_variations_weights", positions, weights, means, lower, share, count, positions)

    def descan_forward(self, waves: Array, descan: Array, period: tuple[float, float]) -> Array:
        ramped = self.empty(waves.shape, self.complex)
        rows, sizes = self._descan_sizes(waves, period)
        self._launch("descan_forward", rows, ramped, waves, descan, *sizes)
        return ramped

    def descan_backward(
        self, grad: Array, waves: Array, descan: Array, period: tuple[float, float], grad_descan: Array | None
    ) -> Array:
        rows, sizes = self._descan_sizes(waves, period)
        self._launch("descan_backward", rows, grad, descan, *sizes)
        if grad_descan is not None:
            self._add_sums("descan_backward_sums", rows.rows, rows.columns, 2, grad_descan, grad, waves, *sizes)
        return grad

    def _descan_sizes(self, waves: Array, period: tuple[float, float]) -> tuple[Rows, tuple[float, ...]]:
        patterns, object_modes, probe_modes, height, width = waves.shape
        sizes = (1 / period[0], 1 / period[1], object_modes * probe_modes, height, width)
        return Rows(patterns, height * width), sizes

    def dose_forward(self, intensity: Array, factors: Array) -> Array:
        scaled = self.empty(intensity.shape, self.real)
        rows = Rows(intensity.shape[0], intensity.shape[1] * intensity.shape[2])
        self._launch("dose_forward", rows, scaled, intensity, factors, rows.columns)
        return scaled

    def dose_backward(self, grad: Array, intensity: Array, factors: Array, grad_factors: Array | None) -> Array:
        rows = Rows(intensity.shape[0], intensity.shape[1] * intensity.shape[2])
        if grad_factors is not None:
            self._add_sums("dose_backward_factors", *rows, 1, grad_factors, grad, intensity, rows.columns)
        scaled = self.empty(grad.shape, self.real)
        self._launch("dose_forward", rows, scaled, grad, factors, rows.columns)
        return scaled

    def background_forward(self, intensity: Array, background: Array) -> Array:
        self._launch(
            "background_forward", Rows(intensity.shape[0], background.size), intensity, background, background.size
        )
        return intensity

    def background_backward(self, grad: Array, grad_background: Array) -> None:
        count = grad_background.size
        self._launch("background_backward", count, grad_background, grad, grad.shape[0], count)

    def _add_sums(self, name: str, rows: int, columns: int, components: int, target: Array, *arguments: Any) -> None:
        """Sums over columns, added to target [rows, components]."""
        partials = self._partials(name, rows, columns, components, *arguments)
        self._launch("reduce_add", Blocks(rows * components), target, partials, parts_of(columns), components)


__all__ = ["Instrument"]
