"""Chains of the protocol's own steps, for backends and sizes that have no kernel for the whole of them."""

from __future__ import annotations

from functools import partial
from typing import Any, Protocol

from ptycupy.backends.interface import Array
from ptycupy.backends.interface.losses import Likelihood, Losses, Measured, decoded
from ptycupy.backends.interface.waves import Waves
from ptycupy.backends.tapes import Arrays, FullTape, Tape

Kept = tuple[Tape, list[Any]]  # what enters the slices, and spectra behind them


class Steps(Waves, Arrays, Protocol):
    """The ops that the chain is made of, and the memory that its waves wait in."""


def multislice_forward(
    backend: Steps,
    waves: Array,
    transmission: Array,
    transfer: Array,
    corners: Array,
    indices: Array,
    keep: bool,
    tape: type[Tape] = FullTape,
) -> tuple[Array, Kept]:
    """`Waves.multislice_forward` from `transmit_forward` and `propagate_forward`; `tape` keeps what enters slices, in
    full where spectra are kept too."""
    last = transmission.shape[1] - 1
    shape = (last, waves.shape[0], transmission.shape[0], *waves.shape[2:])
    kept, spectra = (FullTape if keep else tape)(backend, waves, shape), []

    def slice_and_gap(entry: Array, s: int) -> Array:
        exits = backend.transmit_forward(entry, transmission, s, corners, indices)
        exits, spectrum = backend.propagate_forward(exits, transfer, s % transfer.shape[0], keep)
        spectra.append(spectrum)
        return exits

    entry = waves
    for s in range(last):
        entry = kept.keep(partial(slice_and_gap, entry, s))
    return backend.transmit_forward(entry, transmission, last, corners, indices), (kept, spectra)


def multislice_backward(
    backend: Waves,
    grad_exits: Array,
    saved: Kept,
    transmission: Array,
    transfer: Array,
    corners: Array,
    indices: Array,
    grad_transmission: Array | None,
    grad_transfer: Array | None,
    needs_waves: bool,
) -> Array | None:
    """`Waves.multislice_backward` from `transmit_backward` and `propagate_backward`."""
    grad, (entries, spectra) = grad_exits, saved
    for s in range(transmission.shape[1] - 1, 0, -1):
        where = (s, corners, indices, grad_transmission)
        grad = backend.transmit_backward(grad, entries.get(s), transmission, *where, needs_waves=True)
        grad = backend.propagate_backward(grad, transfer, (s - 1) % transfer.shape[0], spectra[s - 1], grad_transfer)
    where = (0, corners, indices, grad_transmission)
    return backend.transmit_backward(grad, entries.get(0), transmission, *where, needs_waves)


def exits_forward(
    backend: Waves,
    probe: Array,
    shifts: Array,
    transmission: Array,
    transfer: Array | None,
    corners: Array,
    indices: Array,
    keep: bool,
) -> tuple[Array, Any]:
    """From the probe to the waves behind the last slice: `shift_forward`, and `multislice_forward` or of one slice
    `transmit_forward`."""
    waves, of_shift = backend.shift_forward(probe, shifts)
    if transfer is None:
        return backend.transmit_forward(waves, transmission, 0, corners, indices), (of_shift, waves)
    exits, kept = backend.multislice_forward(waves, transmission, transfer, corners, indices, keep)
    return exits, (of_shift, kept)


def exits_backward(
    backend: Waves,
    grad_exits: Array,
    saved: Any,
    shifts: Array,
    transmission: Array,
    transfer: Array | None,
    corners: Array,
    indices: Array,
    grad_probe: Array | None,
    grad_shifts: Array | None,
    grad_transmission: Array | None,
    grad_transfer: Array | None,
) -> None:
    """From the adjoints of the same."""
    of_shift, kept = saved
    needs_waves = grad_probe is not None or grad_shifts is not None
    back: Array | None
    if transfer is None:
        where = (transmission, 0, corners, indices, grad_transmission, needs_waves)
        back = backend.transmit_backward(grad_exits, kept, *where)
    else:
        arrays = (transmission, transfer, corners, indices, grad_transmission, grad_transfer)
        back = backend.multislice_backward(grad_exits, kept, *arrays, needs_waves)
    if back is not None:
        backend.shift_backward(back, shifts, of_shift, grad_probe, grad_shifts)


class Diffraction:
    """`Waves.diffraction_forward` and its adjoint, for backends to inherit."""

    def diffraction_forward(
        self: Waves,
        probe: Array,
        shifts: Array,
        transmission: Array,
        transfer: Array | None,
        corners: Array,
        indices: Array,
        occupancy: Array,
        keep: bool,
    ) -> tuple[Array, Any]:
        """From shift, multislice or transmit, far field and intensity."""
        exits, kept = exits_forward(self, probe, shifts, transmission, transfer, corners, indices, keep)
        far = self.far_field_forward(exits)
        return self.intensity_forward(far, occupancy), (far, kept)

    def diffraction_backward(
        self: Waves,
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
        """From the adjoints of the same."""
        far, kept = saved
        grad = self.far_field_backward(self.intensity_backward(grad_intensity, far, occupancy))
        grads = (grad_probe, grad_shifts, grad_transmission, grad_transfer)
        exits_backward(self, grad, kept, shifts, transmission, transfer, corners, indices, *grads)


class WavesAndLosses(Waves, Losses, Protocol):
    """The ops from the probe to the loss."""


class Misfit:
    """`Fitting.misfit_forward` and its adjoint, for backends to inherit."""

    def misfit_forward(
        self: WavesAndLosses,
        probe: Array,
        shifts: Array,
        transmission: Array,
        transfer: Array | None,
        corners: Array,
        indices: Array,
        occupancy: Array,
        measured: Measured,
        likelihood: Likelihood,
        keep: bool,
    ) -> tuple[Array, Any]:
        """From diffraction and likelihood."""
        given = (transmission, transfer, corners, indices, occupancy, keep)
        counts = decoded(self, measured)
        intensity, saved = self.diffraction_forward(probe, shifts, *given)
        return likelihood.statistics(self, intensity, counts), (intensity, counts, saved)

    def misfit_backward(
        self: WavesAndLosses,
        factor: float,
        statistics: Array,
        saved: Any,
        shifts: Array,
        transmission: Array,
        transfer: Array | None,
        corners: Array,
        indices: Array,
        occupancy: Array,
        measured: Measured,
        likelihood: Likelihood,
        grad_probe: Array | None,
        grad_shifts: Array | None,
        grad_transmission: Array | None,
        grad_transfer: Array | None,
    ) -> None:
        """From the adjoints of the same."""
        intensity, counts, kept = saved
        grad = likelihood.gradient(self, intensity, counts, statistics, factor)
        given = (transmission, transfer, corners, indices, occupancy)
        grads = (grad_probe, grad_shifts, grad_transmission, grad_transfer)
        self.diffraction_backward(grad, kept, shifts, *given, *grads)


__all__ = ["Diffraction", "Misfit", "exits_backward", "exits_forward", "multislice_backward", "multislice_forward"]
