"""From the probe to the intensities with transforms of our own at both ends of the chain, where it has them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from ptycupy.backends import composed
from ptycupy.backends.cuda import wave_steps, whole_waves
from ptycupy.backends.cuda.waves import Waves
from ptycupy.backends.interface import Array


class Scattering(Waves):
    """`Waves` with the ends of the chain in the kernels of whole waves, or in steps along y."""

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
        shape, arrays = (shifts.shape[0], 1, *probe.shape), (transmission, transfer, corners, indices)
        chain = self._chains.choose(shape, transmission.shape[0], keep)
        if chain is composed:
            intensity, saved = composed.Diffraction.diffraction_forward(self, probe, shifts, *arrays, occupancy, keep)
            return intensity, (chain, None, saved)
        far: Array
        kept: Any
        if chain is wave_steps:
            waves, spectrum = wave_steps.shifted(self, probe, shifts)
            far, kept = wave_steps.multislice_forward(self, waves, *arrays, spectra=True)
            wave_steps.columns(self, far, inverse=False, scale=_unitary(far))
        else:
            spectrum = self.empty(probe.shape, self.complex)
            self.copy(spectrum, probe)
            self._fft.forward(spectrum)
            waves = self.empty(shape, self.complex)
            far, kept = whole_waves.multislice_forward(self, waves, *arrays, spectrum, shifts)
        return self.intensity_forward(far, occupancy), (chain, spectrum, (far, kept))

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
        chain, spectrum, kept = saved
        arrays = (transmission, transfer, corners, indices)
        if chain is composed:
            grads = (grad_probe, grad_shifts, grad_transmission, grad_transfer)
            composed.Diffraction.diffraction_backward(self, grad_intensity, kept, shifts, *arrays, occupancy, *grads)
            return
        far, entries = kept
        needs_waves = grad_probe is not None or grad_shifts is not None
        if chain is wave_steps:
            grad_far = self.intensity_backward(grad_intensity, far, occupancy)
            wave_steps.columns(self, grad_far, inverse=True, scale=_unitary(far))
            wanted = (grad_transmission, needs_waves)
            grad_spectra = wave_steps.multislice_backward(self, grad_far, entries, *arrays, *wanted, spectra=True)
            if grad_spectra is not None:
                wave_steps.columns(self, grad_spectra, inverse=False)
            inverse: Callable[[Array], None] = partial(wave_steps.transform, self, inverse=True)
        else:
            told = (grad_transmission, needs_waves, grad_intensity, occupancy)
            grad_spectra = whole_waves.multislice_backward(self, far, entries, *arrays, *told)
            inverse = self._fft.inverse
        if grad_spectra is not None:
            self._shift_backward(grad_spectra, shifts, spectrum, grad_probe, grad_shifts, inverse)


def _unitary(waves: Array) -> float:
    height, width = waves.shape[-2:]
    return float((height * width) ** -0.5)


__all__ = ["Scattering"]
