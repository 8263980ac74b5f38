"""From the probe to the intensities with transforms of our own at both ends of the chain, where it has them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any, NamedTuple

from ptycupy.backends import composed
from ptycupy.backends.cuda import wave_steps, whole_waves
from ptycupy.backends.cuda.waves import Waves
from ptycupy.backends.interface import Array

Pull = tuple[Array | None, Array | None]  # grad_intensity [n, y, x] and the occupancy [o], where a kernel takes them


class Beam(NamedTuple):
    """Waves on their way, and what the way back needs."""

    chain: ModuleType
    waves: Array  # [n, o, p, y, x] behind the last slice; in steps transformed along x, as whole waves on the detector
    kept: Any
    spectrum: Array | None  # of the probe


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
        beam = self._beam(probe, shifts, transmission, transfer, corners, indices, keep)
        if beam.chain is composed:
            self.far_field_forward(beam.waves)
        if beam.chain is wave_steps:
            wave_steps.columns(self, beam.waves, inverse=False, scale=_unitary(beam.waves))
        return self.intensity_forward(beam.waves, occupancy), beam

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
        beam: Beam = saved
        pull: Pull = (None, None)
        if beam.chain is whole_waves:
            pull = grad_intensity, occupancy
        else:
            grad_far = self.intensity_backward(grad_intensity, beam.waves, occupancy)
            if beam.chain is composed:
                self.far_field_backward(grad_far)
            else:
                wave_steps.columns(self, grad_far, inverse=True, scale=_unitary(grad_far))
        arrays = (transmission, transfer, corners, indices)
        grads = (grad_probe, grad_shifts, grad_transmission, grad_transfer)
        self._beam_backward(beam, shifts, *arrays, *grads, pull)

    def _beam(
        self,
        probe: Array,
        shifts: Array,
        transmission: Array,
        transfer: Array | None,
        corners: Array,
        indices: Array,
        keep: bool,
    ) -> Beam:
        shape, arrays = (shifts.shape[0], 1, *probe.shape), (transmission, transfer, corners, indices)
        chain = self._chains.choose(shape, transmission.shape[0], keep)
        waves: Array
        kept: Any
        spectrum: Array | None = None
        if chain is composed:
            waves, kept = composed.exits_forward(self, probe, shifts, *arrays, keep)
        elif chain is wave_steps:
            begun, spectrum = wave_steps.shifted(self, probe, shifts)
            waves, kept = wave_steps.multislice_forward(self, begun, *arrays, keep, spectra=True)
        else:
            spectrum = self.empty(probe.shape, self.complex)
            self.copy(spectrum, probe)
            self._fft.forward(spectrum)
            begun = self.empty(shape, self.complex)
            waves, kept = whole_waves.multislice_forward(self, begun, *arrays, spectrum, shifts)
        return Beam(chain, waves, kept, spectrum)

    def _beam_backward(
        self,
        beam: Beam,
        shifts: Array,
        transmission: Array,
        transfer: Array | None,
        corners: Array,
        indices: Array,
        grad_probe: Array | None,
        grad_shifts: Array | None,
        grad_transmission: Array | None,
        grad_transfer: Array | None,
        pull: Pull = (None, None),
        deferred: Array | None = None,
        factor: float = 1.0,
    ) -> None:
        """beam.waves are their own gradient by now, or as whole waves `pull` makes it of them. With `deferred` [1]
        float64, which a composed chain does not take, it is still to be multiplied by that and by `factor`."""
        arrays = (transmission, transfer, corners, indices)
        if beam.chain is composed:
            grads = (grad_probe, grad_shifts, grad_transmission, grad_transfer)
            composed.exits_backward(self, beam.waves, beam.kept, shifts, *arrays, *grads)
            return
        needs_waves = grad_probe is not None or grad_shifts is not None
        told = (self, beam.waves, beam.kept, *arrays, grad_transmission)
        if beam.chain is wave_steps:
            grad_spectra = wave_steps.multislice_backward(
                *told, grad_transfer, needs_waves, spectra=True, deferred=deferred, factor=factor
            )
            if grad_spectra is not None:
                wave_steps.columns(self, grad_spectra, inverse=False)
            inverse: Callable[[Array], None] = partial(wave_steps.transform, self, inverse=True)
        else:
            grad_spectra = whole_waves.multislice_backward(*told, needs_waves, *pull, deferred=deferred, factor=factor)
            inverse = self._fft.inverse
        if grad_spectra is not None:
            self._shift_backward(grad_spectra, shifts, beam.spectrum, grad_probe, grad_shifts, inverse)


def _unitary(waves: Array) -> float:
    height, width = waves.shape[-2:]
    return float((height * width) ** -0.5)


__all__ = ["Beam", "Pull", "Scattering"]
