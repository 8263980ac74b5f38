"""The protocol's waves in complex128 NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

from ptycupy.backends.interface import Array
from reference.common import INTENSITY_FLOOR, fft2, ifft2, windows
from reference.memory import Memory


class Waves(Memory):
    def take_forward(self, table: Array, indices: Array) -> Array:
        return table[indices].astype(np.float64)

    def take_backward(self, grad_rows: Array, indices: Array, grad_table: Array) -> None:
        np.add.at(grad_table, indices, grad_rows)

    def transmission_forward(self, amplitude: Array, phase: Array) -> Array:
        return amplitude * np.exp(1j * phase.astype(np.float64))

    def transmission_backward(
        self, grad: Array, amplitude: Array, phase: Array, grad_amplitude: Array | None, grad_phase: Array | None
    ) -> None:
        rotation = np.exp(1j * phase.astype(np.float64))
        if grad_amplitude is not None:
            grad_amplitude += (grad.conj() * rotation).real
        if grad_phase is not None:
            grad_phase += (grad * (amplitude * rotation).conj()).imag

    def _ramp(self, shifts: Array, shape: tuple[int, int]) -> tuple[Array, Array, Array]:
        fy, fx = np.fft.fftfreq(shape[0])[:, None], np.fft.fftfreq(shape[1])[None, :]
        shifts = shifts.astype(np.float64)
        cycles = shifts[:, 0, None, None] * fy + shifts[:, 1, None, None] * fx
        return np.exp(-2j * np.pi * cycles)[:, None, None], fy, fx  # [n, 1, 1, y, x]

    def shift_forward(self, probe: Array, shifts: Array) -> tuple[Array, Any]:
        ramp, _, _ = self._ramp(shifts, probe.shape[-2:])
        spectrum = fft2(probe.astype(np.complex128))
        return ifft2(spectrum * ramp), spectrum

    def shift_backward(
        self, grad_waves: Array, shifts: Array, saved: Any, grad_probe: Array | None, grad_shifts: Array | None
    ) -> None:
        ramp, fy, fx = self._ramp(shifts, grad_waves.shape[-2:])
        grad_spectra = fft2(grad_waves)
        if grad_probe is not None:
            grad_probe += ifft2((grad_spectra * ramp.conj()).sum((0, 1)))
        if grad_shifts is not None:
            slope = 2 * np.pi * (grad_spectra.conj() * saved * ramp).imag.sum((1, 2))  # [n, y, x]
            grad_shifts[:, 0] += (slope * fy).sum((1, 2))
            grad_shifts[:, 1] += (slope * fx).sum((1, 2))

    def transmit_forward(
        self, waves: Array, transmission: Array, slice_index: int, corners: Array, indices: Array
    ) -> Array:
        shape = waves.shape[-2:]
        exits = np.empty((waves.shape[0], transmission.shape[0], *waves.shape[2:]), np.complex128)
        for i, rows, columns in windows(corners, indices, shape):
            exits[i] = waves[i] * transmission[:, slice_index, None, rows, columns]
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
        grad_waves = np.empty(waves.shape, np.complex128)
        for i, rows, columns in windows(corners, indices, waves.shape[-2:]):
            grad = transmission[:, slice_index, None, rows, columns].conj() * grad_exits[i]
            grad_waves[i] = grad if waves.shape[1] == grad.shape[0] else grad.sum(0, keepdims=True)
            if grad_transmission is not None:
                grad_transmission[:, slice_index, rows, columns] += (waves[i].conj() * grad_exits[i]).sum(1)
        return grad_waves if needs_waves else None

    def _slope(self, tilts: Array, base: Array, ky: Array, kx: Array) -> Array:
        tangent = np.tan(tilts.astype(np.float64) * 1e-3)
        return (
            base + ky[:, None] * tangent[:, 0, None, None] + kx[None, :] * tangent[:, 1, None, None]
        )  # [t, y, x] rad/angstrom

    def transfer_forward(
        self, tilts: Array, thickness: Array, base: Array, aperture: Array, ky: Array, kx: Array
    ) -> Array:
        slope = self._slope(tilts, base, ky, kx)
        return aperture * np.exp(1j * thickness.astype(np.float64)[:, None, None, None] * slope)

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
        pull = -(grad.conj() * transfer).imag  # dL per radian of the transfer's phase, [g, t, y, x]
        thickness = thickness.astype(np.float64)[:, None, None, None]
        if grad_thickness is not None:
            grad_thickness += (pull * self._slope(tilts, base, ky, kx)).sum((1, 2, 3))
        if grad_tilts is not None:
            secant2 = 1 / np.cos(tilts.astype(np.float64) * 1e-3) ** 2
            grad_tilts[:, 0] += 1e-3 * secant2[:, 0] * (pull * thickness * ky[:, None]).sum((0, 2, 3))
            grad_tilts[:, 1] += 1e-3 * secant2[:, 1] * (pull * thickness * kx[None, :]).sum((0, 2, 3))

    def propagate_forward(self, waves: Array, transfer: Array, gap: int, keep: bool) -> tuple[Array, Any]:
        spectrum = fft2(waves)
        return ifft2(transfer[gap][:, None, None] * spectrum), spectrum if keep else None

    def propagate_backward(
        self, grad_waves: Array, transfer: Array, gap: int, saved: Any, grad_transfer: Array | None
    ) -> Array:
        grad_spectrum = fft2(grad_waves)
        if grad_transfer is not None:
            per_pattern = (saved.conj() * grad_spectrum).sum((1, 2))
            grad_transfer[gap] += per_pattern if transfer.shape[1] > 1 else per_pattern.sum(0, keepdims=True)
        return ifft2(transfer[gap][:, None, None].conj() * grad_spectrum)

    def multislice_forward(
        self, waves: Array, transmission: Array, transfer: Array, corners: Array, indices: Array, keep: bool
    ) -> tuple[Array, Any]:
        entries, spectra = [waves.astype(np.complex128)], [np.empty(0)]
        for s in range(transmission.shape[1] - 1):
            spectra.append(fft2(self.transmit_forward(entries[s], transmission, s, corners, indices)))
            entries.append(ifft2(transfer[s % len(transfer)][:, None, None] * spectra[-1]))
        exits = self.transmit_forward(entries[-1], transmission, transmission.shape[1] - 1, corners, indices)
        return exits, list(zip(entries, spectra, strict=True))

    def multislice_backward(
        self,
        grad_exits: Array,
        saved: Any,
        transmission: Array,
        transfer: Array,
        corners: Array,
        indices: Array,
        grad_transmission: Array | None,
        grad_transfer: Array | None,
        needs_waves: bool,
    ) -> Array | None:
        grad: Array | None = grad_exits
        for s, (entry, spectrum) in reversed(list(enumerate(saved))):
            grad = self.transmit_backward(
                grad, entry, transmission, s, corners, indices, grad_transmission, needs_waves or s > 0
            )
            if s > 0:
                grad = self.propagate_backward(grad, transfer, (s - 1) % len(transfer), spectrum, grad_transfer)
        return grad

    def far_field_forward(self, waves: Array) -> Array:
        return fft2(waves)

    def far_field_backward(self, grad_waves: Array) -> Array:
        return ifft2(grad_waves)

    def intensity_forward(self, waves: Array, occupancy: Array) -> Array:
        return (occupancy[:, None, None] * (np.abs(waves) ** 2).sum(2)).sum(1) + INTENSITY_FLOOR

    def intensity_backward(self, grad_intensity: Array, waves: Array, occupancy: Array) -> Array:
        return 2 * occupancy[:, None, None, None] * grad_intensity[:, None, None] * waves

    def diffraction_forward(
        self,
        probe: Array,
        shifts: Array,
        transmission: Array,
        transfer: Array | None,
        corners: Array,
        indices: Array,
        occupancy: Array,
        keep: bool,
    ) -> tuple[Array, Any]:
        waves, spectrum = self.shift_forward(probe, shifts)
        gaps = np.empty((1, 1, *probe.shape[1:])) if transfer is None else transfer
        exits, entries = self.multislice_forward(waves, transmission, gaps, corners, indices, keep)
        far = fft2(exits)
        return self.intensity_forward(far, occupancy), (spectrum, gaps, entries, far)

    def diffraction_backward(
        self,
        grad_intensity: Array,
        saved: Any,
        shifts: Array,
        transmission: Array,
        transfer: Array | None,
        corners: Array,
        indices: Array,
        occupancy: Array,
        grad_probe: Array | None,
        grad_shifts: Array | None,
        grad_transmission: Array | None,
        grad_transfer: Array | None,
    ) -> None:
        spectrum, gaps, entries, far = saved
        grad = ifft2(self.intensity_backward(grad_intensity, far, occupancy))
        where = (transmission, gaps, corners, indices, grad_transmission, grad_transfer)
        back = self.multislice_backward(grad, entries, *where, needs_waves=True)
        self.shift_backward(back, shifts, spectrum, grad_probe, grad_shifts)

    def axis_filter(self, values: Array, indices: Array, weights: Array) -> Array:
        return np.einsum("aktb,kt->akb", values[:, indices], weights)

    def patch_forward(self, field: Array, window: tuple[int, int], corners: Array, indices: Array) -> Array:
        patches = np.empty((len(indices), *field.shape[:2], *window))
        for i, rows, columns in windows(corners, indices, window):
            patches[i] = field[:, :, rows, columns]
        return patches

    def patch_backward(self, grad_patches: Array, corners: Array, indices: Array, grad_field: Array) -> None:
        for i, rows, columns in windows(corners, indices, grad_patches.shape[-2:]):
            grad_field[:, :, rows, columns] += grad_patches[i]
