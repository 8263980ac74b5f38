"""Every Backend method in complex128 NumPy, written from the formulas of the protocol and of nothing else.

Slow and plain on purpose: loops over patterns, `numpy.fft`, no reuse of memory, nothing is overwritten. Methods that
accumulate do so in their float64/complex128 targets. The twins of every device are compared with these.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ptycupy.backends.interface import Array

INTENSITY_FLOOR = 1e-10  # what intensity_forward adds; the data losses never look at less


def fft2(waves: Array) -> Array:
    return np.fft.fft2(waves, norm="ortho")


def ifft2(waves: Array) -> Array:
    return np.fft.ifft2(waves, norm="ortho")


def windows(corners: Array, indices: Array, shape: tuple[int, int]) -> Iterator[tuple[int, slice, slice]]:
    """(pattern of the batch, rows, columns) of each window."""
    for i, index in enumerate(np.asarray(indices)):
        y, x = (int(corner) for corner in corners[index])
        yield i, slice(y, y + shape[0]), slice(x, x + shape[1])


class ReferenceBackend:
    """The protocol in float64; `saved` values are its own."""

    name = "reference"
    real: np.dtype[Any] = np.dtype(np.float64)
    complex: np.dtype[Any] = np.dtype(np.complex128)

    # --- memory -----------------------------------------------------------------------------------------------
    def asarray(self, values: Any, dtype: DTypeLike | None = None) -> Array:
        return np.ascontiguousarray(values, dtype)

    def to_host(self, array: Array) -> NDArray[Any]:
        return np.asarray(array)

    def zeros(self, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        return np.zeros(shape, dtype)

    def empty(self, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        return np.empty(shape, dtype)

    @contextmanager
    def arena(self) -> Iterator[None]:
        yield

    def fill(self, array: Array, value: float) -> None:
        array[...] = value

    def copy(self, target: Array, source: Array) -> None:
        target[...] = source

    def add(self, target: Array, source: Array) -> None:
        target += source

    def free_bytes(self) -> int:
        return 1 << 30

    def release(self) -> None:
        return

    def synchronize(self) -> None:
        return

    # --- parameters to waves ----------------------------------------------------------------------------------
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

    # --- multislice -------------------------------------------------------------------------------------------
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

    def far_field_forward(self, waves: Array) -> Array:
        return fft2(waves)

    def far_field_backward(self, grad_waves: Array) -> Array:
        return ifft2(grad_waves)

    def intensity_forward(self, waves: Array, occupancy: Array) -> Array:
        return (occupancy[:, None, None] * (np.abs(waves) ** 2).sum(2)).sum(1) + INTENSITY_FLOOR

    def intensity_backward(self, grad_intensity: Array, waves: Array, occupancy: Array) -> Array:
        return 2 * occupancy[:, None, None, None] * grad_intensity[:, None, None] * waves

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

    # --- losses -----------------------------------------------------------------------------------------------
    def patterns(self, stored: Array, indices: Array, scale: Array, mask: Array, weights: Array) -> Array:
        values = stored[indices].astype(np.float64)
        counted = np.isfinite(values) & (values >= 0) & (weights[indices] != 0)[:, None, None]
        measured = np.where(counted, values * scale[indices].astype(np.float64)[:, None, None], -1.0)
        measured = np.fft.ifftshift(measured, axes=(1, 2))
        return np.where(mask != 0, measured, -1.0)

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

    # --- update -----------------------------------------------------------------------------------------------
    def adam(
        self,
        parameter: Array,
        grad: Array,
        first: Array,
        second: Array,
        learning_rate: float,
        step: int,
        beta1: float,
        beta2: float,
        eps: float,
    ) -> None:
        if np.iscomplexobj(parameter):
            parameter, grad, first, second = (a.view(a.real.dtype) for a in (parameter, grad, first, second))
        first[...] = beta1 * first + (1 - beta1) * grad
        second[...] = beta2 * second + (1 - beta2) * grad**2
        root = np.sqrt(second / (1 - beta2**step)) + eps
        parameter -= learning_rate * first / (1 - beta1**step) / root

    def clamp(self, values: Array, low: float, high: float, relax: float) -> None:
        values[...] = relax * values + (1 - relax) * np.clip(values, low, high)

    def relax(self, values: Array, before: Array, relax: float) -> None:
        values[...] = relax * before + (1 - relax) * values

    def total_power(self, waves: Array) -> Array:
        return np.array([(np.abs(waves.astype(np.complex128)) ** 2).sum()])

    def rescale_power(self, waves: Array, power: Array, target: float) -> None:
        waves *= np.sqrt(target / power[0])

    def orthogonalise(self, probe: Array) -> None:
        modes = probe.reshape(len(probe), -1).astype(np.complex128)
        _, vectors = np.linalg.eigh(modes @ modes.conj().T)
        probe[...] = (vectors[:, ::-1].conj().T @ modes).reshape(probe.shape)

    def recentre(self, shifts: Array, relax: float) -> None:
        shifts -= (1 - relax) * shifts.mean(0)

    def reanchor(self, shifts: Array, corners: Array) -> Array:
        whole = np.rint(shifts)
        shifts -= whole
        corners += whole.astype(corners.dtype)
        return np.concatenate([corners.min(0), corners.max(0)]).astype(np.int32)

    def count_nonfinite(self, values: Array) -> Array:
        return np.array([np.count_nonzero(~np.isfinite(values))], np.int32)
