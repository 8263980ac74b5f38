"""From the probe to the intensities in one launch and the sum over modes, where whole waves go through the slices."""

from __future__ import annotations

from typing import Any

from ptycupy.backends import composed
from ptycupy.backends.cuda import whole_waves
from ptycupy.backends.cuda.waves import Waves
from ptycupy.backends.interface import Array


class Scattering(Waves):
    """`Waves` with the ends of the chain in the kernels of whole waves."""

    def diffraction_forward(
        self,
        probe: Array,
        shifts: Array,
        transmission: Array,
        transfer: Array | None,
        corners: Array,
        indices: Array,
        occupancy: Array,
    ) -> tuple[Array, Any]:
        waves = (shifts.shape[0], 1, *probe.shape)
        if self._chains.choose(waves, transmission.shape[0]) is not whole_waves:
            given = (transmission, transfer, corners, indices, occupancy)
            intensity, kept = composed.Diffraction.diffraction_forward(self, probe, shifts, *given)
            return intensity, (None, kept)
        spectrum = self.empty(probe.shape, self.complex)
        self.copy(spectrum, probe)
        self._fft.forward(spectrum)
        moved = self.empty(waves, self.complex)
        arrays = (transmission, transfer, corners, indices)
        far, kept = whole_waves.multislice_forward(self, moved, *arrays, spectrum, shifts)
        return self.intensity_forward(far, occupancy), (spectrum, (far, kept))

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
    ) -> None:
        spectrum, kept = saved
        arrays = (transmission, transfer, corners, indices)
        if spectrum is None:
            grads = (grad_probe, grad_shifts, grad_transmission)
            composed.Diffraction.diffraction_backward(self, grad_intensity, kept, shifts, *arrays, occupancy, *grads)
            return
        needs_waves = grad_probe is not None or grad_shifts is not None
        wanted = (grad_transmission, needs_waves, grad_intensity, occupancy)
        grad_spectra = whole_waves.multislice_backward(self, kept[0], kept[1], *arrays, *wanted)
        if grad_spectra is not None:
            self._shift_backward(grad_spectra, shifts, spectrum, grad_probe, grad_shifts)


__all__ = ["Scattering"]
