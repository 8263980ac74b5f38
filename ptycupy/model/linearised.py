"""The model to first order: how the waves on the detector's plane change with the transmission and with the probe."""

from __future__ import annotations

from dataclasses import replace

from ptycupy.backends.interface import Array, Backend
from ptycupy.model.experiment import Experiment
from ptycupy.model.forward_model import constants, illumination, prepared_probe, share, to_detector, transfers
from ptycupy.model.parameters import Parameters
from ptycupy.ops import Propagate, Transmit
from ptycupy.tape import Tape, Variable


def linearised_waves(
    backend: Backend,
    experiment: Experiment,
    parameters: Parameters,
    indices: Array,
    object_change: Array,
    probe_change: Array,
) -> tuple[Array, Array, Array]:
    """Waves [n, o, p, y, x] on the detector's plane, and their first-order changes by those of the transmission
    [o, z, Y, X] and of the probe [p, y, x].

    The waves are linear in the probe, so that its change goes through the model as a probe does (all but the
    variations, which add to the probe and stay). Through slice s with transmission T_s and a step H_s to the next,
    psi -> H_s T_s psi, the change by the object is d_psi -> H_s (T_s d_psi + dT_s psi).
    """
    tape = Tape(backend)
    variables = constants(tape, parameters)
    changed = replace(variables, probe=tape.constant(probe_change), probe_variations=None)
    v, change = share(backend, tape, experiment, variables), tape.constant(object_change)
    waves = illumination(backend, tape, experiment, v, indices)
    bare = replace(v, probe=prepared_probe(backend, tape, experiment, changed), variation_weights=None)
    by_probe = illumination(backend, tape, experiment, bare, indices)
    by_object: Variable | None = None
    transfer = transfers(backend, tape, experiment, v, indices)
    for s in range(parameters.slices):
        transmit = Transmit(backend, s, experiment.corners, indices)
        by_slice = tape.apply(transmit, waves, change)
        if by_object is not None:
            backend.add(by_slice.value, tape.apply(transmit, by_object, v.transmission).value)
        waves, by_probe, by_object = (*(tape.apply(transmit, x, v.transmission) for x in (waves, by_probe)), by_slice)
        if transfer is not None and s < parameters.slices - 1:
            propagate = Propagate(backend, s % transfer.value.shape[0], keep_spectrum=False)
            waves, by_probe, by_object = (tape.apply(propagate, x, transfer) for x in (waves, by_probe, by_object))
    assert by_object is not None  # an object has at least one slice
    far, by_object, by_probe = (
        to_detector(backend, tape, experiment, v, indices, x) for x in (waves, by_object, by_probe)
    )
    return far.value, by_object.value, by_probe.value
