"""The multislice model on a tape: from object, probe and geometry to the intensities on the detector."""

from __future__ import annotations

from dataclasses import dataclass

from ptycupy.backends.interface import Array, Backend
from ptycupy.model.experiment import Experiment
from ptycupy.model.parameters import Parameters
from ptycupy.ops import AxisFilter, FarField, Intensity, Propagate, Shift, Take, Transfer, Transmission, Transmit
from ptycupy.tape import Tape, Variable


@dataclass(frozen=True)
class Variables:
    """The parameters of one recorded forward pass."""

    object_amplitude: Variable
    object_phase: Variable
    probe: Variable
    shifts: Variable
    tilts: Variable
    slice_thickness: Variable


def watch(tape: Tape, parameters: Parameters, gradients: Parameters) -> Variables:
    """Variables for the parameters; a gradient is wanted where `gradients` holds an array (not None)."""
    pairs = zip(parameters.items(), gradients.items(), strict=True)
    return Variables(
        **{n: tape.constant(value) if grad is None else tape.variable(value, grad) for (n, value), (_, grad) in pairs}
    )


def constants(tape: Tape, parameters: Parameters) -> Variables:
    """Variables without gradients: the tape then records nothing."""
    return Variables(**{name: tape.constant(value) for name, value in parameters.items()})


def intensities(backend: Backend, tape: Tape, experiment: Experiment, v: Variables, indices: Array) -> Variable:
    """Model patterns [n, ky, kx] of the positions `indices`, zero frequency in the corner.

    Mixed-state multislice as in Lee et al. (PtyRAD, 2025), Eqs. 1-5; no propagation after the last slice.
    """
    corners = experiment.corners
    transmission = tape.apply(Transmission(backend), v.object_amplitude, v.object_phase)
    waves = tape.apply(Shift(backend), v.probe, tape.apply(Take(backend, indices), v.shifts))
    slices = v.object_phase.value.shape[1]
    if slices > 1:
        transfer = _transfer(backend, tape, experiment, v, indices)
    for s in range(slices):
        waves = tape.apply(Transmit(backend, s, corners, indices), waves, transmission)
        if s < slices - 1:
            gap = s if transfer.value.shape[0] > 1 else 0
            waves = tape.apply(Propagate(backend, gap, transfer.requires_grad), waves, transfer)
    if experiment.near_field is None:
        waves = tape.apply(FarField(backend), waves)
    else:
        waves = tape.apply(Propagate(backend, 0, keep_spectrum=False), waves, tape.constant(experiment.near_field))
    intensity = tape.apply(Intensity(backend, experiment.occupancy), waves)
    for axis, rows in enumerate(experiment.detector, start=1):
        if rows is not None:
            intensity = tape.apply(AxisFilter(backend, axis, rows), intensity)
    return intensity


def _transfer(backend: Backend, tape: Tape, experiment: Experiment, v: Variables, indices: Array) -> Variable:
    tilts = v.tilts
    if tilts.value.shape[0] > 1:
        tilts = tape.apply(Take(backend, indices), tilts)
    tables = (experiment.base, experiment.aperture, experiment.ky, experiment.kx)
    return tape.apply(Transfer(backend, *tables), tilts, v.slice_thickness)
