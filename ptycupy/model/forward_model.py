"""The multislice model on a tape: from object, probe and geometry to the intensities on the detector."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import TypeVar

from ptycupy.backends.interface import Array, Backend
from ptycupy.model.experiment import Experiment
from ptycupy.model.parameters import Parameters
from ptycupy.ops import (
    Aberrate,
    AxisFilter,
    Background,
    Descan,
    Diffraction,
    Dose,
    FarField,
    Intensity,
    Multislice,
    Propagate,
    ScanAffine,
    Shift,
    Stack,
    Take,
    Transfer,
    Transmission,
    Transmit,
    Vary,
)
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
    pattern_intensity: Variable | None = None
    background: Variable | None = None
    descan: Variable | None = None
    aberrations: Variable | None = None
    scan_affine: Variable | None = None
    probe_variations: Variable | None = None
    variation_weights: Variable | None = None


def watch(tape: Tape, parameters: Parameters, gradients: Parameters) -> Variables:
    """Variables for the parameters; a gradient is wanted where `gradients` holds an array (not None)."""
    wanted = dict(gradients.items())
    return Variables(
        **{n: tape.variable(a, wanted[n]) if n in wanted else tape.constant(a) for n, a in parameters.items()}
    )


def constants(tape: Tape, parameters: Parameters) -> Variables:
    """Variables without gradients: the tape then records nothing."""
    return Variables(**{name: tape.constant(value) for name, value in parameters.items()})


@dataclass(frozen=True)
class Shared:
    """What the patterns of a batch have in common: computed once, whatever parts they run in."""

    transmission: Variable
    probe: Variable  # with variations and aberrations
    shifts: Variable
    tilts: Variable
    slice_thickness: Variable
    transfer: Variable | None = None  # where all positions have one tilt
    pattern_intensity: Variable | None = None
    background: Variable | None = None
    descan: Variable | None = None
    scan_affine: Variable | None = None
    variation_weights: Variable | None = None


Record = TypeVar("Record", Variables, Shared)


def through(record: Record, function: Callable[[Variable], Variable]) -> Record:
    """The same with every variable put through `function`."""
    found = {field.name: getattr(record, field.name) for field in fields(record)}
    return replace(record, **{name: function(x) for name, x in found.items() if x is not None})


def share(backend: Backend, tape: Tape, experiment: Experiment, v: Variables) -> Shared:
    """The Shared of these parameters."""
    one_tilt = v.tilts.value.shape[0] == 1 and v.object_phase.value.shape[1] > 1
    return Shared(
        transmission=tape.apply(Transmission(backend), v.object_amplitude, v.object_phase),
        probe=prepared_probe(backend, tape, experiment, v),
        shifts=v.shifts,
        tilts=v.tilts,
        slice_thickness=v.slice_thickness,
        transfer=_transfer(backend, tape, experiment, v.tilts, v.slice_thickness) if one_tilt else None,
        pattern_intensity=v.pattern_intensity,
        background=v.background,
        descan=v.descan,
        scan_affine=v.scan_affine,
        variation_weights=v.variation_weights,
    )


def prepared_probe(backend: Backend, tape: Tape, experiment: Experiment, v: Variables) -> Variable:
    """The probe modes, then their variations, with the aberrations that are refined [p + k, y, x]."""
    probe = v.probe
    if v.probe_variations is not None:
        probe = tape.apply(Stack(backend), probe, v.probe_variations)
    if v.aberrations is not None:
        probe = tape.apply(Aberrate(backend, experiment.aberrations), probe, v.aberrations)
    return probe


def intensities(backend: Backend, tape: Tape, experiment: Experiment, v: Shared, indices: Array) -> Variable:
    """Model patterns [n, ky, kx] of the positions `indices`, zero frequency in the corner.

    Mixed-state multislice as in Lee et al. (PtyRAD, 2025), Eqs. 1-5; no propagation after the last slice. Parameters
    that are None take no part and cost nothing.
    """
    chain = way(backend, tape, experiment, v, indices)
    if chain is not None:
        return counted(backend, tape, experiment, v, indices, tape.apply(chain.op, *chain.inputs))
    waves = scattered(backend, tape, experiment, v, indices)
    return detected(backend, tape, experiment, v, indices, waves)


@dataclass(frozen=True)
class Way:
    """From the probe to the detector's plane in one op."""

    op: Diffraction
    inputs: tuple[Variable, Variable, Variable, Variable]  # probe, displacements, transmission, transfer


def way(backend: Backend, tape: Tape, experiment: Experiment, v: Shared, indices: Array) -> Way | None:
    """None where the model has more on its way than that op."""
    if v.variation_weights is not None or v.descan is not None or experiment.near_field is not None:
        return None
    transfer = transfers(backend, tape, experiment, v, indices) or tape.constant(None)
    op = Diffraction(backend, experiment.corners, indices, experiment.occupancy, transfer.requires_grad)
    return Way(op, (v.probe, displacements(backend, tape, experiment, v, indices), v.transmission, transfer))


def counts_as_it_is(experiment: Experiment, v: Shared) -> bool:
    """Whether `counted` changes nothing."""
    return experiment.detector == (None, None) and v.pattern_intensity is None and v.background is None


def scattered(
    backend: Backend,
    tape: Tape,
    experiment: Experiment,
    v: Shared,
    indices: Array,
    enter: Callable[[int, Array], None] | None = None,
) -> Variable:
    """Waves [n, o, p, y, x] on the detector's plane; `enter` sees those that enter each slice [n, 1 or o, p, y, x]."""
    corners = experiment.corners
    waves = illumination(backend, tape, experiment, v, indices)
    transfer = transfers(backend, tape, experiment, v, indices)
    if transfer is not None and enter is None:
        multislice = Multislice(backend, corners, indices, transfer.requires_grad)
        waves = tape.apply(multislice, waves, v.transmission, transfer)
        return to_detector(backend, tape, experiment, v, indices, waves)
    for s in range(v.transmission.value.shape[1]):
        if s > 0 and transfer is not None:
            gap = (s - 1) % transfer.value.shape[0]
            waves = tape.apply(Propagate(backend, gap, transfer.requires_grad), waves, transfer)
        if enter is not None:
            enter(s, waves.value)
        waves = tape.apply(Transmit(backend, s, corners, indices), waves, v.transmission)
    return to_detector(backend, tape, experiment, v, indices, waves)


def illumination(backend: Backend, tape: Tape, experiment: Experiment, v: Shared, indices: Array) -> Variable:
    """The probe at each position of the batch, [n, 1, p, y, x]."""
    waves = tape.apply(Shift(backend), v.probe, displacements(backend, tape, experiment, v, indices))
    if v.variation_weights is not None:
        waves = tape.apply(Vary(backend), waves, tape.apply(Take(backend, indices), v.variation_weights))
    return waves


def displacements(backend: Backend, tape: Tape, experiment: Experiment, v: Shared, indices: Array) -> Variable:
    """How far each position of the batch is from its corner [n, 2] px."""
    shifts = tape.apply(Take(backend, indices), v.shifts)
    if v.scan_affine is not None:
        shifts = tape.apply(ScanAffine(backend, experiment.nominal, indices), shifts, v.scan_affine)
    return shifts


def transfers(backend: Backend, tape: Tape, experiment: Experiment, v: Shared, indices: Array) -> Variable | None:
    """Transfer functions [1 or z - 1, 1 or n, y, x] from slice to slice; None for one slice."""
    if v.transfer is not None or v.transmission.value.shape[1] == 1:
        return v.transfer
    return _transfer(backend, tape, experiment, tape.apply(Take(backend, indices), v.tilts), v.slice_thickness)


def to_detector(
    backend: Backend, tape: Tape, experiment: Experiment, v: Shared, indices: Array, waves: Variable
) -> Variable:
    """Exit waves of the last slice as they reach the detector's plane, in the far or near field, moved by descan."""
    near = experiment.near_field
    if v.descan is None:
        if near is None:
            return tape.apply(FarField(backend), waves)
        return tape.apply(Propagate(backend, 0, keep_spectrum=False), waves, tape.constant(near))
    descan = tape.apply(Take(backend, indices), v.descan)
    moved = experiment.moved_near_field
    if moved is None:
        waves = tape.apply(Descan(backend, experiment.descan_period), waves, descan)
        return tape.apply(FarField(backend), waves)
    tables = (moved.base, moved.aperture, moved.ky, moved.kx)
    transfer = tape.apply(Transfer(backend, *tables), descan, tape.constant(moved.distance))
    return tape.apply(Propagate(backend, 0, transfer.requires_grad), waves, transfer)


def detected(
    backend: Backend, tape: Tape, experiment: Experiment, v: Shared | Variables, indices: Array, waves: Variable
) -> Variable:
    """Intensities [n, ky, kx] of these waves as the detector counts them, with dose and background."""
    return counted(backend, tape, experiment, v, indices, tape.apply(Intensity(backend, experiment.occupancy), waves))


def counted(
    backend: Backend, tape: Tape, experiment: Experiment, v: Shared | Variables, indices: Array, intensity: Variable
) -> Variable:
    """Intensities on the detector's plane [n, y, x] as the detector counts them [n, ky, kx]."""
    for axis, rows in enumerate(experiment.detector, start=1):
        if rows is not None:
            intensity = tape.apply(AxisFilter(backend, axis, rows), intensity)
    if v.pattern_intensity is not None:
        factors = tape.apply(Take(backend, indices), v.pattern_intensity)
        intensity = tape.apply(Dose(backend), intensity, factors)
    if v.background is not None:
        intensity = tape.apply(Background(backend), intensity, v.background)
    return intensity


def _transfer(backend: Backend, tape: Tape, experiment: Experiment, tilts: Variable, thickness: Variable) -> Variable:
    tables = (experiment.base, experiment.aperture, experiment.ky, experiment.kx)
    return tape.apply(Transfer(backend, *tables), tilts, thickness)
