"""The methods of CpuBackend from parameters to the detector plane."""

from __future__ import annotations

import math
from types import ModuleType
from typing import Any

import numpy as np

from ptycupy.backends.cpu import axis_filter, intensity, patch, shift, transmit
from ptycupy.backends.cpu import transfer as transfer_op
from ptycupy.backends.cpu import transmission as transmission_op
from ptycupy.backends.cpu.memory import Memory, flat
from ptycupy.backends.cpu.windows import require_inside, row_bands
from ptycupy.backends.interface import Array


class Waves(Memory):
    _fourier: ModuleType

    def take_forward(self, table: Array, indices: Array) -> Array:
        return np.take(table, indices, axis=0)

    def take_backward(self, grad_rows: Array, indices: Array, grad_table: Array) -> None:
        grad_table[indices] += grad_rows

    def transmission_forward(self, amplitude: Array, phase: Array) -> Array:
        result = self.empty(phase.shape, self.complex)
        transmission_op.forward(flat(result), flat(amplitude), flat(phase))
        return result

    def transmission_backward(
        self, grad: Array, amplitude: Array, phase: Array, grad_amplitude: Array | None, grad_phase: Array | None
    ) -> None:
        unused = np.empty(0, self.real)
        transmission_op.backward(
            unused if grad_amplitude is None else flat(grad_amplitude),
            unused if grad_phase is None else flat(grad_phase),
            flat(grad),
            flat(amplitude),
            flat(phase),
            grad_amplitude is not None,
            grad_phase is not None,
        )

    def _ramps(self, shifts: Array, window: tuple[int, int]) -> tuple[Array, Array]:
        ramp_y = np.empty((len(shifts), window[0]), self.complex)
        ramp_x = np.empty((len(shifts), window[1]), self.complex)
        shift.ramps(ramp_y, ramp_x, shifts)
        return ramp_y, ramp_x

    def shift_forward(self, probe: Array, shifts: Array) -> tuple[Array, Any]:
        modes, height, width = probe.shape
        spectrum = self.empty(probe.shape, self.complex)
        np.copyto(spectrum, probe)
        self._fourier.transform(spectrum, True, 1.0)
        waves = self.empty((len(shifts), 1, modes, height, width), self.complex)
        scale = self.real.type(1 / (height * width))
        self._fourier.shift(waves.reshape(-1, height, width), spectrum, *self._ramps(shifts, (height, width)), scale)
        return waves, spectrum

    def shift_backward(
        self, grad_waves: Array, shifts: Array, saved: Any, grad_probe: Array | None, grad_shifts: Array | None
    ) -> None:
        patterns, _, modes, height, width = grad_waves.shape
        sums = np.empty((patterns * modes, 2))
        waves = grad_waves.reshape(-1, height, width)
        self._fourier.shift_back(sums, waves, saved, *self._ramps(shifts, (height, width)))
        if grad_shifts is not None:
            slopes = 2 * math.pi / (height * width) * sums.reshape(patterns, modes, 2).sum(1)
            grad_shifts += slopes.astype(self.real)
        if grad_probe is not None:
            total = self._zeros((modes, height, width), self.complex)
            shift.sum_patterns(flat(total), waves.reshape(patterns, -1))
            self._fourier.transform(total, False, 1 / (height * width))
            grad_probe += total

    # --- transmission and propagation -------------------------------------------------------------------------
    def transmit_forward(
        self, waves: Array, transmission: Array, slice_index: int, corners: Array, indices: Array
    ) -> Array:
        require_inside(corners, indices, waves.shape[-2:], transmission.shape[-2:])
        exits = self.empty((waves.shape[0], transmission.shape[0], *waves.shape[2:]), self.complex)
        transmit.forward(exits, waves, transmission, slice_index, corners, indices)
        return exits

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
        bands = row_bands(corners, indices, waves.shape[-2:], transmission.shape[-2:])
        in_place = needs_waves and waves.shape == grad_exits.shape
        grad_waves = self.empty(waves.shape, self.complex) if needs_waves and not in_place else grad_exits
        wants_transmission = grad_transmission is not None
        transmit.backward(
            grad_waves,
            grad_transmission if wants_transmission else transmission,
            grad_exits,
            waves,
            transmission,
            slice_index,
            corners,
            indices,
            bands,
            in_place,
            needs_waves,
            wants_transmission,
        )
        return grad_waves if needs_waves else None

    def transfer_forward(
        self, tilts: Array, thickness: Array, base: Array, aperture: Array, ky: Array, kx: Array
    ) -> Array:
        result = self.empty((len(thickness), len(tilts), *base.shape), self.complex)
        tangents = np.tan(1e-3 * np.asarray(tilts, np.float64))
        transfer_op.forward(result, tangents, np.asarray(thickness, np.float64), base, aperture, ky, kx)
        return result

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
        sums = np.empty((*transfer.shape[:3], 3))
        angles = 1e-3 * np.asarray(tilts, np.float64)
        transfer_op.backward(sums, grad, transfer, np.tan(angles), base, ky, kx)
        totals = sums.sum(2)  # [g, t, 3]
        if grad_thickness is not None:
            grad_thickness += totals[:, :, 0].sum(1).astype(self.real)
        if grad_tilts is not None:
            over_gaps = (np.asarray(thickness, np.float64)[:, None, None] * totals[:, :, 1:]).sum(0)
            grad_tilts += (1e-3 / np.cos(angles) ** 2 * over_gaps).astype(self.real)

    def propagate_forward(self, waves: Array, transfer: Array, gap: int, keep: bool) -> tuple[Array, Any]:
        stack = waves.reshape(waves.shape[0], -1, *waves.shape[-2:])
        spectra = self.empty(stack.shape if keep else (0, 0, 0, 0), self.complex)
        self._fourier.propagate(stack, spectra, transfer[gap], self._pixel_share(waves), keep)
        return waves, spectra if keep else None

    def _pixel_share(self, waves: Array) -> Any:
        """1 / pixels, which makes two unnormalised transforms one identity."""
        return self.real.type(1 / math.prod(waves.shape[-2:]))

    def propagate_backward(
        self, grad_waves: Array, transfer: Array, gap: int, saved: Any, grad_transfer: Array | None
    ) -> Array:
        stack = grad_waves.reshape(grad_waves.shape[0], -1, *grad_waves.shape[-2:])
        share = self._pixel_share(grad_waves)
        if grad_transfer is None:
            self._fourier.propagate_back(stack, transfer[gap], share)
            return grad_waves
        if transfer.shape[1] == len(stack):
            self._fourier.propagate_back_gradient(grad_transfer[gap], stack, saved, transfer[gap], share)
            return grad_waves
        per_pattern = self._zeros((len(stack), *stack.shape[2:]), self.complex)
        self._fourier.propagate_back_gradient(per_pattern, stack, saved, transfer[gap], share)
        shift.sum_patterns(flat(grad_transfer[gap]), per_pattern.reshape(len(stack), -1))
        return grad_waves

    def far_field_forward(self, waves: Array) -> Array:
        self._fourier.transform(waves.reshape(-1, *waves.shape[-2:]), True, math.prod(waves.shape[-2:]) ** -0.5)
        return waves

    def far_field_backward(self, grad_waves: Array) -> Array:
        shape = grad_waves.shape[-2:]
        self._fourier.transform(grad_waves.reshape(-1, *shape), False, math.prod(shape) ** -0.5)
        return grad_waves

    def intensity_forward(self, waves: Array, occupancy: Array) -> Array:
        result = self.empty((waves.shape[0], *waves.shape[-2:]), self.real)
        intensity.forward(result, waves, self._reals(occupancy))
        return result

    def intensity_backward(self, grad_intensity: Array, waves: Array, occupancy: Array) -> Array:
        intensity.backward(waves, grad_intensity, 2 * self._reals(occupancy))
        return waves

    def axis_filter(self, values: Array, indices: Array, weights: Array) -> Array:
        out = self.empty((values.shape[0], len(indices), values.shape[2]), self.real)
        if values.shape[2] == 1:
            axis_filter.along(out[:, :, 0], values[:, :, 0], indices, self._reals(weights))
        else:
            axis_filter.across(out, values, indices, self._reals(weights))
        return out

    def patch_forward(self, field: Array, window: tuple[int, int], corners: Array, indices: Array) -> Array:
        require_inside(corners, indices, window, field.shape[-2:])
        patches = self.empty((len(indices), *field.shape[:2], *window), self.real)
        patch.forward(patches, field, corners, indices)
        return patches

    def patch_backward(self, grad_patches: Array, corners: Array, indices: Array, grad_field: Array) -> None:
        bands = row_bands(corners, indices, grad_patches.shape[-2:], grad_field.shape[-2:])
        patch.backward(grad_field, grad_patches, corners, indices, bands)


__all__ = ["Waves"]
