"""What the ops from parameters to intensities cost; see `backends.interface.waves` for what they do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ptycupy.backends.interface import Array
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
        self._traffic((amplitude, phase), (transmission,), 2 * phase.size, 1, phase.size)
        return transmission

    @op
    def transmission_backward(
        self, grad: Array, amplitude: Array, phase: Array, grad_amplitude: Array | None, grad_phase: Array | None
    ) -> None:
        wanted = (grad_amplitude, grad_phase)
        self._traffic((grad, amplitude, phase, *wanted), wanted, 12 * phase.size, 1, phase.size)

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
        self._shift_backward(grad_waves, shifts, saved, grad_probe, grad_shifts)

    def _shift_backward(
        self,
        grad_spectra: Array,
        shifts: Array,
        spectrum: Array,
        grad_probe: Array | None,
        grad_shifts: Array | None,
        inverse: Callable[[Array], None] | None = None,
    ) -> None:
        """From the spectra of the gradient of the waves."""
        if grad_probe is not None:
            grad = self.empty(grad_probe.shape, self.complex)
            self._traffic((grad_spectra, shifts), (grad,), (MULTIPLY + 2) * grad_spectra.size)
            (inverse or self._transform)(grad)
            self.add(grad_probe, grad)
        if grad_shifts is not None:
            flops = (MULTIPLY + ACCUMULATE) * grad_spectra.size
            arrays = (grad_spectra, spectrum, shifts)
            self._traffic(arrays, (grad_shifts,), flops, 2, grad_spectra.size)

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
        height, width = waves.shape[-2:]
        return int(waves.shape[0] * transmission.shape[0] * height * width * transmission.dtype.itemsize)

    def _scatter(self, windows: int, flops: float) -> None:
        """Windows that are added onto the canvas."""
        self._traffic((windows,), (windows,), flops, launches=0)

    @op
    def transfer_forward(
        self, tilts: Array, thickness: Array, base: Array, aperture: Array, ky: Array, kx: Array
    ) -> Array:
        transfer = self.empty((thickness.size, tilts.shape[0], *base.shape), self.complex)
        self._traffic((base, aperture), (transfer,), 6 * transfer.size, 1, transfer.size)
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


__all__ = ["ACCUMULATE", "MULTIPLY", "Waves"]
