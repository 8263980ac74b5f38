"""Parameters to waves to intensities on the CUDA backend: each method is a few kernels and FFTs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ptycupy.backends import composed
from ptycupy.backends.cuda import wave_steps, whole_waves
from ptycupy.backends.cuda.launch import Blocks, Rows, parts_of
from ptycupy.backends.cuda.memory import Memory
from ptycupy.backends.interface import Array
from ptycupy.backends.tapes import TAPES


class Waves(composed.Diffraction, Memory):
    """The ops between the parameters and the intensities."""

    def take_forward(self, table: Array, indices: Array) -> Array:
        columns = table.shape[1]
        rows = self.empty((indices.size, columns), self.real)
        self._launch("take_forward", rows.size, rows, table, indices, columns, rows.size)
        return rows

    def take_backward(self, grad_rows: Array, indices: Array, grad_table: Array) -> None:
        columns = grad_table.shape[1]
        self._launch("take_backward", grad_rows.size, grad_table, grad_rows, indices, columns, grad_rows.size)

    def transmission_forward(self, amplitude: Array, phase: Array) -> Array:
        transmission = self.empty(phase.shape, self.complex)
        self._launch("transmission_forward", phase.size, transmission, amplitude, phase, phase.size)
        return transmission

    def transmission_backward(
        self, grad: Array, amplitude: Array, phase: Array, grad_amplitude: Array | None, grad_phase: Array | None
    ) -> None:
        self._launch(
            "transmission_backward", phase.size, grad_amplitude, grad_phase, grad, amplitude, phase, phase.size
        )

    def shift_forward(self, probe: Array, shifts: Array) -> tuple[Array, Any]:
        modes, height, width = probe.shape
        spectrum = self.empty(probe.shape, self.complex)
        self.copy(spectrum, probe)
        self._fft.forward(spectrum)
        waves = self.empty((shifts.shape[0], 1, modes, height, width), self.complex)
        size, scale = Rows(shifts.shape[0], height * width), 1 / (height * width)
        self._launch("shift_forward", size, waves, spectrum, shifts, scale, modes, height, width)
        self._fft.inverse(waves)
        return waves, spectrum

    def shift_backward(
        self, grad_waves: Array, shifts: Array, saved: Any, grad_probe: Array | None, grad_shifts: Array | None
    ) -> None:
        self._fft.forward(grad_waves)
        self._shift_backward(grad_waves, shifts, saved, grad_probe, grad_shifts, self._fft.inverse)

    def _shift_backward(
        self,
        grad_spectra: Array,
        shifts: Array,
        spectrum: Array,
        grad_probe: Array | None,
        grad_shifts: Array | None,
        inverse: Callable[[Array], None],
    ) -> None:
        """From the unnormalised spectra [n, 1, p, y, x] of the gradient of the waves; `inverse` transforms a probe."""
        patterns, _, modes, height, width = grad_spectra.shape
        pixels, scale = height * width, 1 / (height * width)
        if grad_probe is not None:
            grad = self.empty((modes, height, width), self.complex)
            self._launch(
                "shift_backward_probe",
                Rows(modes, pixels),
                grad,
                grad_spectra,
                shifts,
                scale,
                patterns,
                modes,
                height,
                width,
            )
            inverse(grad)
            self.add(grad_probe, grad)
        if grad_shifts is not None:
            arguments = (grad_spectra, spectrum, shifts, scale, modes, height, width)
            partials = self._partials("shift_backward_shifts", patterns, pixels, 2, *arguments)
            self._launch("reduce_add", Blocks(2 * patterns), grad_shifts, partials, parts_of(pixels), 2)

    def transmit_forward(
        self, waves: Array, transmission: Array, slice_index: int, corners: Array, indices: Array
    ) -> Array:
        patterns, wave_modes, probe_modes, height, width = waves.shape
        object_modes, slices, canvas_height, canvas_width = transmission.shape
        exits = self.empty((patterns, object_modes, probe_modes, height, width), self.complex)
        sizes = (object_modes, wave_modes, probe_modes, canvas_height, canvas_width, height, width)
        rows = Rows(patterns * object_modes, height * width)
        arguments = (exits, waves, transmission, corners, indices, slice_index, slices, *sizes)
        self._launch("transmit_forward", rows, *arguments)
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
        patterns, wave_modes, probe_modes, height, width = waves.shape
        object_modes, slices, canvas_height, canvas_width = transmission.shape
        grad_waves = patches = None
        if needs_waves:
            grad_waves = grad_exits if wave_modes == object_modes else self.empty(waves.shape, self.complex)
        if grad_transmission is not None and self.deterministic:
            patches = self.empty((patterns, object_modes, height, width), self.complex)
        self._launch(
            "transmit_backward",
            Rows(patterns * wave_modes, height * width),
            grad_waves,
            grad_transmission if patches is None else None,
            patches,
            grad_exits,
            waves,
            transmission,
            corners,
            indices,
            slice_index,
            slices,
            object_modes,
            wave_modes,
            probe_modes,
            canvas_height,
            canvas_width,
            height,
            width,
        )
        if patches is not None:
            self._gather_slice(grad_transmission, patches, slice_index, corners, indices)
        return grad_waves

    def transfer_forward(
        self, tilts: Array, thickness: Array, base: Array, aperture: Array, ky: Array, kx: Array
    ) -> Array:
        gaps, tilt_count, (height, width) = thickness.size, tilts.shape[0], base.shape
        transfer = self.empty((gaps, tilt_count, height, width), self.complex)
        rows = Rows(gaps * tilt_count, height * width)
        arguments = (transfer, tilts, thickness, base, aperture, ky, kx, tilt_count, height, width)
        self._launch("transfer_forward", rows, *arguments)
        return transfer

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
        gaps, tilt_count, height, width = transfer.shape
        arguments = (grad, transfer, tilts, base, ky, kx, tilt_count, height, width)
        sums = self._sums("transfer_backward_sums", height * width, 3, *arguments, rows=gaps * tilt_count)
        count = max(gaps, tilt_count)
        self._launch("transfer_backward", count, grad_tilts, grad_thickness, sums, tilts, thickness, gaps, tilt_count)

    def propagate_forward(self, waves: Array, transfer: Array, gap: int, keep: bool) -> tuple[Array, Any]:
        patterns, object_modes, probe_modes, height, width = waves.shape
        self._fft.forward(waves)
        products = self.empty(waves.shape, self.complex) if keep else waves
        sizes = (transfer.shape[1], object_modes * probe_modes, height * width)
        rows, scale = Rows(patterns, height * width), 1 / (height * width)
        self._launch("propagate_forward", rows, products, waves, transfer[gap], scale, *sizes)
        self._fft.inverse(products)
        return products, waves if keep else None

    def propagate_backward(
        self, grad_waves: Array, transfer: Array, gap: int, saved: Any, grad_transfer: Array | None
    ) -> Array:
        patterns, object_modes, probe_modes, height, width = grad_waves.shape
        tilt_count, pixels = transfer.shape[1], height * width
        self._fft.forward(grad_waves)
        # One tilt for all patterns: store each pattern's sum, then add them in order.
        shared = grad_transfer is not None and tilt_count < patterns
        target = self.empty((patterns, height, width), self.complex) if shared else None
        if grad_transfer is not None and not shared:
            target = grad_transfer[gap]
        sizes = (tilt_count, object_modes * probe_modes, pixels)
        arguments = (grad_waves, target, saved, transfer[gap], 1 / pixels, int(not shared), *sizes)
        self._launch("propagate_backward", Rows(patterns, pixels), *arguments)
        if grad_transfer is not None and shared:
            self._launch("propagate_backward_parts", Rows(1, pixels), grad_transfer[gap], target, patterns, pixels)
        self._fft.inverse(grad_waves)
        return grad_waves

    def multislice_forward(
        self, waves: Array, transmission: Array, transfer: Array, corners: Array, indices: Array, keep: bool
    ) -> tuple[Array, Any]:
        arrays = (waves, transmission, transfer, corners, indices)
        chain = self._chains.choose(waves.shape, transmission.shape[0], keep)
        if chain is composed:
            exits, kept = composed.multislice_forward(self, *arrays, keep, TAPES[self.tape])
        elif chain is wave_steps:
            exits, kept = wave_steps.multislice_forward(self, *arrays, keep)
        else:
            exits, kept = chain.multislice_forward(self, *arrays)
        return exits, (chain, kept)

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
        chain, kept = saved
        arrays = (transmission, transfer, corners, indices, grad_transmission)
        wanted = (needs_waves,) if chain is whole_waves else (grad_transfer, needs_waves)
        grad: Array | None = chain.multislice_backward(self, grad_exits, kept, *arrays, *wanted)
        return grad

    def far_field_forward(self, waves: Array) -> Array:
        self._fft.forward(waves)
        return self._unitary(waves)

    def far_field_backward(self, grad_waves: Array) -> Array:
        self._fft.inverse(grad_waves)
        return self._unitary(grad_waves)

    def _unitary(self, waves: Array) -> Array:
        height, width = waves.shape[-2:]
        values = self._reals(waves)
        self._launch("scale", values.size, values, (height * width) ** -0.5, values.size)
        return waves

    def intensity_forward(self, waves: Array, occupancy: Array) -> Array:
        patterns, object_modes, probe_modes, height, width = waves.shape
        intensity = self.empty((patterns, height, width), self.real)
        rows, sizes = Rows(patterns, height * width), (object_modes, probe_modes, height * width)
        self._launch("intensity_forward", rows, intensity, waves, occupancy, *sizes)
        return intensity

    def intensity_backward(self, grad_intensity: Array, waves: Array, occupancy: Array) -> Array:
        return self._intensity_backward(grad_intensity, waves, occupancy, None, 1.0)

    def _intensity_backward(
        self, grad_intensity: Array, waves: Array, occupancy: Array, deferred: Array | None, factor: float
    ) -> Array:
        """With `deferred` [1] float64 the gradient is still to be multiplied by it and by `factor`."""
        patterns, object_modes, probe_modes, height, width = waves.shape
        rows, sizes = Rows(patterns, height * width), (deferred, factor, object_modes, probe_modes, height * width)
        self._launch("intensity_backward", rows, waves, grad_intensity, occupancy, *sizes)
        return waves

    def axis_filter(self, values: Array, indices: Array, weights: Array) -> Array:
        outer, length, inner = values.shape
        rows, taps = indices.shape
        out = self.empty((outer, rows, inner), self.real)
        arguments = (out, values, indices, weights, length, rows, taps, inner, out.size)
        self._launch("axis_filter", out.size, *arguments)
        return out

    def patch_forward(self, field: Array, window: tuple[int, int], corners: Array, indices: Array) -> Array:
        object_modes, slices, canvas_height, canvas_width = field.shape
        patches = self.empty((indices.size, object_modes, slices, *window), self.real)
        rows = Rows(indices.size * object_modes * slices, window[0] * window[1])
        sizes = (object_modes * slices, canvas_height, canvas_width, *window)
        self._launch("patch_forward", rows, patches, field, corners, indices, *sizes)
        return patches

    def patch_backward(self, grad_patches: Array, corners: Array, indices: Array, grad_field: Array) -> None:
        patterns, object_modes, slices, height, width = grad_patches.shape
        planes, (canvas_height, canvas_width) = object_modes * slices, grad_field.shape[-2:]
        if self.deterministic:
            self._gather(grad_field, grad_patches, corners, indices, 0, canvas_height * canvas_width, planes)
            return
        rows, sizes = Rows(patterns * planes, height * width), (planes, canvas_height, canvas_width, height, width)
        self._launch("patch_backward", rows, grad_field, grad_patches, corners, indices, *sizes)

    def _gather_slice(self, target: Any, patches: Array, slice_index: int, corners: Array, indices: Array) -> None:
        """Adds patches [n, o, y, x] to one slice of target [o, z, Y, X]."""
        object_modes, slices, height, width = target.shape
        first, stride = slice_index * height * width, slices * height * width
        self._gather(target, patches, corners, indices, first, stride, object_modes)

    def _gather(
        self, target: Array, patches: Array, corners: Array, indices: Array, first: int, stride: int, planes: int
    ) -> None:
        """Adds patches [n, planes, y, x] to planes of a canvas in batch order: the repeatable scatter."""
        (canvas_height, canvas_width), (height, width) = target.shape[-2:], patches.shape[-2:]
        sizes = (indices.size, planes, canvas_height, canvas_width, height, width)
        rows = Rows(planes, canvas_height * canvas_width)
        self._launch("patch_gather", rows, target, patches, corners, indices, first, stride, *sizes)


__all__ = ["Waves"]
