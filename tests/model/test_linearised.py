"""First-order changes of the waves against central differences of the forward model, in float64."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scenes import random_scene

from ptycupy.backends import select
from ptycupy.model.experiment import place
from ptycupy.model.forward_model import constants, scattered, share
from ptycupy.model.linearised import linearised_waves
from ptycupy.model.parameters import upload
from ptycupy.tape import Tape

SCENES = {
    "one slice, single modes": {"slices": 1, "probe_modes": 1, "object_modes": 1},
    "two slices of one thickness, global tilt": {"slices": 2, "tilt_per_position": False},
    "three slices, mixed probe and object, tilts of their own": {},
    "near field": {"slices": 2, "near_field_distance": 15.0},
    "near field moved by descan": {"slices": 2, "near_field_distance": 12.0, "optional": True},
    "paraxial and anti-aliased, rectangular odd window": {
        "window": (13, 11),
        "propagator": "fresnel",
        "anti_aliasing": True,
    },
    "aberrations, scan affine, varying probe, descan, dose and background": {"optional": True},
    "everything at once on a small detector": {"optional": True, "object_modes": 3, "detector": (9, 8)},
}


@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES.keys())
def test_changes_of_the_waves_are_the_derivatives_of_the_model(scene):
    problem, state = random_scene(**scene)
    backend = select("cpu", "float64")
    p = upload(backend, state)
    experiment = place(backend, problem, p)
    indices = np.array([3, 0, 4], np.int32)
    g = np.random.default_rng(1)

    def draw(shape):
        return g.standard_normal(shape) + 1j * g.standard_normal(shape)

    object_change, probe_change = draw(p.object_phase.shape), draw(p.probe.shape)
    transmission = p.object_amplitude * np.exp(1j * p.object_phase)

    def far(object_step, probe_step):
        tape = Tape(backend)
        variables = constants(tape, upload(backend, state.replace(probe=state.probe + probe_step * probe_change)))
        moved = tape.constant(transmission + object_step * object_change)
        v = replace(share(backend, tape, experiment, variables), transmission=moved)
        return scattered(backend, tape, experiment, v, indices).value

    waves, by_object, by_probe = linearised_waves(backend, experiment, p, indices, object_change, probe_change)
    h = 1e-6
    np.testing.assert_allclose(waves, far(0, 0), rtol=0, atol=1e-14 * np.abs(waves).max())
    for found, (low, high) in (
        (by_object, (far(-h, 0), far(h, 0))),
        (by_probe, (far(0, -h), far(0, h))),
    ):
        assert found.shape == waves.shape
        np.testing.assert_allclose(found, (high - low) / (2 * h), rtol=0, atol=1e-8 * np.abs(found).max())
