"""What the ops from parameters to intensities cost; see `backends.interface.waves` for what they do."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ptycupy.backends.interface import Array
from ptycupy.planning.ledger import ELEMENTARY
from ptycupy.planning.memory import Memory, op

MULTIPLY, ACCUMULATE = 6, 8  # flops of a complex product, and of a product that is added


class Waves(Memory):
    """One pass over a stack is its bytes; the object's windows are read from its canvas."""

    @op
    def take_forward(self, table: Array, indices: Array) -> Array:
        rows = self.empty((indices.size, table.shape[1]), self.real)
        self._traffic((rows, indices), (rows,))
        return rows

    @op
    def take_backward(self, grad_rows: Array, indices: Array, grad_table: Array) -> None:
        self._traffic((grad_rows, grad_rows, indices), (grad_rows,), grad_rows.size)

    @op
    def transmission_forward(self, amplitude: Array, phase: Array) -> Array:
        transmission = self.empty(phase.shape, self.complex)
        self._traffic((amplitude, phase), (transmission,), (ELEMENTARY + 2) * phase.size)
        return transmission

    @op
    def transmission_backward(
        self, grad: Array, amplitude: Array, phase: Array, grad_amplitude: Array | None, grad_phase: Array | None
    ) -> None:
        wanted = (grad_amplitude, grad_phase)
        self._traffic((grad, amplitude, phase, *wanted), wanted, (ELEMENTARY + 12) * phase.size)

    @op
    def shift_forward(self, probe: Array, shifts: Array) -> tuple[Array, Any]:
        spectrum = self.empty(probe.shape, self.complex)
        waves = self.empty((shifts.shape[0], 1, *probe.shape), self.complex)
        self._traffic((probe,), (spectrum,))
        self._transform(spectrum)
        self._traffic((spectrum, shifts), (waves,), 2 * MULTIPLY * waves.size)
        self._transform(waves)
        return waves, spectrum

    @op
    def shift_backward(
        self, grad_waves: Array, shifts: Array, saved: Any, grad_probe: Array | None, grad_shifts: Array | None
    ) -> None:
        self._transform(grad_waves)
        self._traffic((grad_waves, saved, shifts), (grad_waves,), (2 * MULTIPLY + ACCUMULATE) * grad_waves.size)
        if grad_probe is not None:
            grad = self.empty(grad_probe.shape, self.complex)
            self._traffic((grad_waves,), (grad,), 2 * grad_waves.size)
            self._transform(grad)
            self._traffic((grad, grad_probe), (grad_probe,))

    @op
    def transmit_forward(
        self, waves: Array, transmission: Array, slice_index: int, corners: Array, indices: Array
    ) -> Array:
        exits = self.empty((waves.shape[0], transmission.shape[0], *waves.shape[2:]), self.complex)
        self._traffic((waves, self._windows(waves, transmission)), (exits,), MULTIPLY * exits.size)
        return exits

    @op
    def transmit_backward(
        self,
        grad_exits: Array,
        waves: Array,
        transmission: Array,
        slice_index: int,
        corners: Array,
        indices: Array,
        grad_transmission: Array | None,
        needs_waves: bool,
    ) -> Array | None:
        windows, grad_waves = self._windows(waves, transmission), None
        self._traffic((grad_exits, waves, windows))
        if needs_waves:
            grad_waves = grad_exits if waves.shape == grad_exits.shape else self.empty(waves.shape, self.complex)
            self._traffic((), (grad_waves,), MULTIPLY * grad_exits.size, launches=0)
        if grad_transmission is not None:
            self._scatter(windows, ACCUMULATE * grad_exits.size)
        return grad_waves

    def _windows(self, waves: Array, transmission: Array) -> int:
        """Bytes of one slice of the object under every pattern."""
        patterns, *window = waves.shape[0], *waves.shape[-2:]
        return math.prod((patterns, transmission.shape[0], *window)) * transmission.dtype.itemsize

    def _scatter(self, windows: int, flops: float) -> None:
        """Windows that are added onto the canvas."""
        self._traffic((windows,), (windows,), flops, launches=0)

    @op
    def transfer_forward(
        self, tilts: Array, thickness: Array, base: Array, aperture: Array, ky: Array, kx: Array
    ) -> Array:
        transfer = self.empty((thickness.size, tilts.shape[0], *base.shape), self.complex)
        self._traffic((base, aperture), (transfer,), (ELEMENTARY + 6) * transfer.size)
        return transfer

    @op
    def transfer_backward(
        self,
        grad: Array,
        transfer: Array,
        tilts: Array,
        thickness: Array,
        base: Array,
        ky: Array,
        kx: Array,
        grad_tilts: Array | None,
        grad_thickness: Array | None,
    ) -> None:
        self._traffic((grad, transfer, base), (grad_tilts, grad_thickness), 12 * grad.size, launches=3)

    @op
    def propagate_forward(self, waves: Array, transfer: Array, gap: int, keep: bool) -> tuple[Array, Any]:
        self._transform(waves)
        kept = self.empty(waves.shape, self.complex) if keep else None
        self._traffic((waves, transfer[gap]), (waves, kept), MULTIPLY * waves.size)
        self._transform(waves)
        return waves, kept

    @op
    def propagate_backward(
        self, grad_waves: Array, transfer: Array, gap: int, saved: Any, grad_transfer: Array | None
    ) -> Array:
        self._transform(grad_waves)
        self._traffic((grad_waves, transfer[gap]), (grad_waves,), MULTIPLY * grad_waves.size)
        if grad_transfer is not None:
            target = grad_transfer[gap]
            patterns, pixels = grad_waves.shape[0], grad_waves.shape[-2:]
            if transfer.shape[1] < patterns:  # one tilt for all: each pattern's sum, then the sum of those
                each = self.empty((patterns, *pixels), self.complex)
                self._traffic((each,), (each,), 2 * each.size)
            self._traffic((saved, target), (target,), ACCUMULATE * grad_waves.size, launches=0)
        self._transform(grad_waves)
        return grad_waves

    @op
    def far_field_forward(self, waves: Array) -> Array:
        self._transform(waves)
        self._traffic((waves,), (waves,), 2 * waves.size)
        return waves

    @op
    def far_field_backward(self, grad_waves: Array) -> Array:
        self._transform(grad_waves)
        self._traffic((grad_waves,), (grad_waves,), 2 * grad_waves.size)
        return grad_waves

    @op
    def intensity_forward(self, waves: Array, occupancy: Array) -> Array:
        intensity = self.empty((waves.shape[0], *waves.shape[-2:]), self.real)
        self._traffic((waves,), (intensity,), 4 * waves.size)
        return intensity

    @op
    def intensity_backward(self, grad_intensity: Array, waves: Array, occupancy: Array) -> Array:
        self._traffic((waves, grad_intensity), (waves,), 2 * waves.size)
        return waves

    @op
    def axis_filter(self, values: Array, indices: Array, weights: Array) -> Array:
        out = self.empty((values.shape[0], indices.shape[0], values.shape[2]), self.real)
        self._traffic((values, indices, weights), (out,), 2 * indices.shape[1] * out.size)
        return out

    @op
    def patch_forward(self, field: Array, window: tuple[int, int], corners: Array, indices: Array) -> Array:
        patches = self.empty((indices.size, *field.shape[:2], *window), self.real)
        self._traffic((patches,), (patches,))
        return patches

    @op
    def patch_backward(self, grad_patches: Array, corners: Array, indices: Array, grad_field: Array) -> None:
        self._traffic((grad_patches, grad_patches), (grad_patches,), self._reals(grad_patches))


class Instrument(Memory):
    """The optional parameters; see `backends.interface.instrument`."""

    @op
    def scan_affine_forward(self, shifts: Array, nominal: Array, indices: Array, affine: Array) -> Array:
        moved = self.empty(shifts.shape, self.real)
        self._traffic((shifts, shifts, indices), (moved,), 4 * shifts.size)
        return moved

    @op
    def scan_affine_backward(
        self, grad: Array, nominal: Array, indices: Array, affine: Array, grad_affine: Array
    ) -> None:
        self._traffic((grad, grad, indices), (grad_affine,), 4 * grad.size, launches=3)

    @op
    def aberrate_forward(self, coefficients: Array, basis: Array) -> Array:
        plate = self.empty((1, 1, *basis.shape[1:]), self.complex)
        self._traffic((basis,), (plate,), 2 * basis.size + ELEMENTARY * plate.size)
        return plate

    @op
    def aberrate_backward(self, grad: Array, plate: Array, basis: Array, grad_coefficients: Array) -> None:
        self._traffic((grad, plate, basis), (grad_coefficients,), 2 * basis.size + 4 * grad.size, launches=2)

    @op
    def vary_forward(self, waves: Array, weights: Array) -> Array:
        patterns, _, modes, *window = waves.shape
        varied = self.empty((patterns, 1, modes - weights.shape[1], *window), self.complex)
        self._traffic((waves, weights), (varied,), 4 * waves.size)
        return varied

    @op
    def vary_backward(self, grad: Array, waves: Array, weights: Array, grad_weights: Array | None) -> Array:
        grad_waves = self.empty(waves.shape, self.complex)
        self._traffic((grad, weights), (grad_waves,), 2 * waves.size)
        if grad_weights is not None:
            self._traffic((grad, waves), (grad_weights,), 4 * waves.size, launches=2)
        return grad_waves

    @op
    def normalise_variations(self, probe: Array, variations: Array, weights: Array, power: float) -> None:
        arrays, count = (probe[0], variations, weights), variations.shape[0]
        self._traffic((*arrays, variations, weights), arrays, 4 * count * variations.size, launches=7)

    @op
    def descan_forward(self, waves: Array, descan: Array, period: tuple[float, float]) -> Array:
        ramped = self.empty(waves.shape, self.complex)
        self._traffic((waves, descan), (ramped,), 2 * MULTIPLY * waves.size)
        return ramped

    @op
    def descan_backward(
        self, grad: Array, waves: Array, descan: Array, period: tuple[float, float], grad_descan: Array | None
    ) -> Array:
        self._traffic((grad, descan), (grad,), 2 * MULTIPLY * grad.size)
        if grad_descan is not None:
            self._traffic((grad, waves), (grad_descan,), ACCUMULATE * grad.size, launches=2)
        return grad

    @op
    def dose_forward(self, intensity: Array, factors: Array) -> Array:
        scaled = self.empty(intensity.shape, self.real)
        self._traffic((intensity, factors), (scaled,), intensity.size)
        return scaled

    @op
    def dose_backward(self, grad: Array, intensity: Array, factors: Array, grad_factors: Array | None) -> Array:
        scaled = self.empty(grad.shape, self.real)
        self._traffic((grad, factors), (scaled,), grad.size)
        if grad_factors is not None:
            self._traffic((grad, intensity), (grad_factors,), 2 * grad.size, launches=2)
        return scaled

    @op
    def background_forward(self, intensity: Array, background: Array) -> Array:
        self._traffic((intensity, background), (intensity,), intensity.size)
        return intensity

    @op
    def background_backward(self, grad: Array, grad_background: Array) -> None:
        self._traffic((grad, grad_background), (grad_background,), grad.size)


class Data(Memory):
    """Patterns and losses; see `backends.interface.losses`. Statistics outlive the arena."""

    def _statistics(self, count: int, *arrays: Array | None, flops: float) -> Array:
        self._traffic(arrays, (8 * count,), flops, launches=2)
        return self.alloc((count,), np.float64)

    @op
    def patterns(
        self, stored: Array, indices: Array, scale: Array, mask: Array, weights: Array, background: Array | None = None
    ) -> Array:
        measured = self.empty((indices.size, *mask.shape), self.real)
        read = indices.size * math.prod(stored.shape[1:]) * stored.dtype.itemsize
        self._traffic((read, mask, background), (measured,), measured.size)
        return measured

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


__all__ = ["Data", "Instrument", "Waves"]
