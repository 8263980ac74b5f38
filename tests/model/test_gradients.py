"""The whole model's gradients against central differences in float64, along random directions, to 1e-6."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scenes import random_scene

import ptycupy
from ptycupy.errors import ConfigError
from ptycupy.experiment.state import FIELDS

REQUIRED, OPTIONAL = FIELDS[:6], FIELDS[6:]
MIXES = {
    "gaussian": {"gaussian": {}},
    "gaussian power 0.3": {"gaussian": {"power": 0.3, "weight": 2.0}},
    "poisson": {"poisson": {}},
    "pacbed": {"pacbed": {"power": 0.4}},
    "all": {"gaussian": {}, "poisson": {"weight": 0.3}, "pacbed": {}, "sparsity": {"order": 2}, "similarity": {}},
    "similarity with area resampling": {"gaussian": {}, "similarity": {"scale": (1, 0.5, 0.5), "blur": 0.0}},
}
SCENES = {
    "mixed probe and object, local tilts": {},
    "global tilt, two slices, one thickness": {"tilt_per_position": False, "slices": 2},
    "one of everything": {"probe_modes": 1, "object_modes": 1, "slices": 1, "positions": 1},
    "rectangular odd window": {"window": (13, 11)},
    "window larger than the detector, cropped": {"detector": (8, 9)},
    "window larger than the detector, resampled and blurred": {
        "detector": (9, 8),
        "detector_match": "resample",
        "detector_blur": 0.8,
    },
    "paraxial propagator with anti-aliasing": {"propagator": "fresnel", "anti_aliasing": True},
    "detector mask": {"mask": np.arange(144).reshape(12, 12) % 5 > 0},
}


def slopes(problem, state, indices, losses, field, seed=1, step=1e-5):
    """(gradient along a random direction, fourth-order central difference)."""
    generator = np.random.default_rng(seed)
    value = np.asarray(getattr(state, field))
    direction = generator.standard_normal(value.shape)
    if np.iscomplexobj(value):
        direction = direction + 1j * generator.standard_normal(value.shape)

    def loss(distance):
        moved = state.replace(**{field: value + distance * direction})
        found, _ = ptycupy.loss_and_gradients(problem, moved, indices, losses, "cpu", "float64", parameters=())
        return found.total

    _, gradients = ptycupy.loss_and_gradients(problem, state, indices, losses, "cpu", "float64", parameters=(field,))
    gradient = np.asarray(getattr(gradients, field))
    numerical = (8 * (loss(step) - loss(-step)) - (loss(2 * step) - loss(-2 * step))) / (12 * step)
    return float(np.vdot(gradient, direction).real), numerical


@pytest.mark.parametrize("field", REQUIRED)
@pytest.mark.parametrize("losses", MIXES.values(), ids=MIXES.keys())
def test_every_gradient_for_every_mix_of_losses(losses, field):
    problem, state = random_scene(object_modes=3)  # of two, the deviation is an absolute value, with kinks
    found, numerical = slopes(problem, state, [0, 2, 3, 4], losses, field, step=1e-4)
    assert found == pytest.approx(numerical, rel=1e-6)


@pytest.mark.parametrize("field", REQUIRED)
@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES.keys())
def test_every_gradient_for_every_geometry(scene, field):
    problem, state = random_scene(**scene)
    indices = np.arange(len(problem.patterns))
    found, numerical = slopes(problem, state, indices, {"gaussian": {}, "poisson": {}}, field, step=1e-4)
    if state.object_phase.shape[1] == 1 and field in {"tilts", "slice_thickness"}:
        assert found == 0
        assert abs(numerical) < 1e-9
    else:
        assert found == pytest.approx(numerical, rel=1e-6)


@pytest.mark.parametrize("field", OPTIONAL)
def test_every_optional_gradient_alone(field):
    problem, full = random_scene(optional=True)
    together = {"probe_variations", "variation_weights"}
    kept = together if field in together else {field}
    state = full.replace(**{name: None for name in OPTIONAL if name not in kept})
    problem = replace(problem, aberrations=problem.aberrations if field == "aberrations" else ())
    found, numerical = slopes(problem, state, [0, 2, 3], {"gaussian": {}, "poisson": {}}, field, step=1e-4)
    assert found == pytest.approx(numerical, rel=1e-6)


@pytest.mark.parametrize("match", ["crop", "resample"])
@pytest.mark.parametrize("field", FIELDS)
def test_every_gradient_with_everything_at_once(field, match):
    """Mixed object and probe, local tilts, slices of unlike thickness, blur, mask, a window larger than the detector,
    and every optional parameter."""
    problem, state = random_scene(
        optional=True,
        object_modes=3,
        detector=(9, 8),
        detector_match=match,
        detector_blur=0.7,
        mask=np.arange(72).reshape(9, 8) % 5 > 0,
    )
    found, numerical = slopes(problem, state, [0, 2, 3, 4], MIXES["all"], field, step=1e-4)
    assert found == pytest.approx(numerical, rel=1e-6)


def test_absent_parameters_have_no_gradient():
    problem, state = random_scene()
    _, gradients = ptycupy.loss_and_gradients(problem, state, [0, 1], {"gaussian": {}}, "cpu")
    assert [name for name, _ in gradients.items()] == list(REQUIRED)
    with pytest.raises(ConfigError, match="this State has no descan"):
        ptycupy.loss_and_gradients(problem, state, [0], {"gaussian": {}}, "cpu", parameters=("descan",))


def test_neutral_optional_parameters_change_no_pattern():
    problem, state = random_scene()
    plain = ptycupy.forward(problem, state, np.arange(5), "cpu", "float64")
    neutral = state.replace(
        pattern_intensity=np.ones(5),
        background=np.zeros((12, 12)),
        descan=np.zeros((5, 2)),
        aberrations=np.zeros(2),
        scan_affine=np.zeros(4),
        probe_variations=np.ones((1, 12, 12), complex),
        variation_weights=np.zeros((5, 1)),
    )
    problem = replace(problem, aberrations=("C10", "C30"))
    np.testing.assert_allclose(ptycupy.forward(problem, neutral, np.arange(5), "cpu", "float64"), plain, rtol=1e-12)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pattern_intensity": np.ones(4)}, r"pattern_intensity \(4,\) must be \(5\): one factor per position"),
        ({"descan": np.ones((5, 3))}, r"descan \(5, 3\) must be \(5, 2\)"),
        ({"scan_affine": np.ones(3)}, "scan_affine"),
        ({"background": np.ones((3, 3))}, "background .* must have the detector's shape"),
        ({"variation_weights": np.ones((5, 1))}, "belong together"),
        ({"aberrations": np.ones(2)}, "2 values in the State for 0 names"),
    ],
)
def test_optional_parameters_that_do_not_fit_are_named(changes, message):
    problem, state = random_scene()
    with pytest.raises(ConfigError, match=message):
        ptycupy.forward(problem, state.replace(**changes), [0], "cpu")


def test_only_the_wanted_gradients_are_computed():
    problem, state = random_scene()
    _, gradients = ptycupy.loss_and_gradients(
        problem, state, [0, 1], {"gaussian": {}}, "cpu", parameters=("probe", "shifts")
    )
    assert gradients.probe is not None
    assert gradients.shifts.shape == (5, 2)
    assert not gradients.shifts[2:].any()
    assert gradients.shifts[:2].all()
    assert all(getattr(gradients, name) is None for name in REQUIRED if name not in {"probe", "shifts"})


@pytest.mark.parametrize("optional", [False, True], ids=["required", "all fields"])
@pytest.mark.parametrize("losses", MIXES.values(), ids=MIXES.keys())
def test_sub_batches_are_exact(losses, optional):
    """The same loss and gradients, whether a batch of 5 runs at once or as 2 + 2 + 1."""
    from ptycupy.backends import select
    from ptycupy.model.experiment import place
    from ptycupy.model.losses import make_terms
    from ptycupy.model.objective import Objective
    from ptycupy.model.parameters import Parameters, upload

    problem, state = random_scene(optional=optional)
    backend = select("cpu", "float64")
    parameters = upload(backend, state)
    experiment = place(backend, problem, parameters)
    results = []
    for sub_batch in (None, 2):
        gradients = Parameters(**{n: backend.zeros(a.shape, a.dtype) for n, a in parameters.items()})
        values = backend.zeros((len(losses),), np.float64)
        Objective(backend, experiment, make_terms(losses), sub_batch).accumulate(
            parameters, gradients, np.arange(5), values
        )
        results.append((values, gradients))
    np.testing.assert_allclose(results[0][0], results[1][0], rtol=1e-12)
    for (name, whole), (_, parts) in zip(results[0][1].items(), results[1][1].items(), strict=True):
        assert np.abs(whole - parts).max() <= 1e-11 * np.abs(whole).max(), name


def test_similarity_of_one_object_mode_is_zero_and_finite():
    problem, state = random_scene(object_modes=1)
    with_term = {"gaussian": {}, "similarity": {}}
    loss, gradients = ptycupy.loss_and_gradients(problem, state, [0, 1], with_term, "cpu")
    assert loss.terms["similarity"] == 0
    assert np.isfinite(gradients.object_phase).all()


def test_fault_45_zero_intensity_has_a_finite_gradient():
    """A dark pixel under the square root."""
    problem, state = random_scene()
    dark = state.replace(probe=np.zeros_like(state.probe))
    loss, gradients = ptycupy.loss_and_gradients(problem, dark, [0, 1], {"gaussian": {}, "poisson": {}}, "cpu")
    assert np.isfinite(loss.total)
    assert all(np.isfinite(values).all() for _, values in gradients.items())


def test_filters_are_uploaded_once_and_not_per_batch(monkeypatch):
    """Only indices may cross the bus for a batch: similarity's blur, the same along y and x, goes over once."""
    from ptycupy.model import experiment

    uploads = []
    upload_rows = experiment.upload_rows
    monkeypatch.setattr(experiment, "upload_rows", lambda *given: uploads.append(1) or upload_rows(*given))
    problem, state = random_scene()
    engine = ptycupy.Engine(problem, state, ptycupy.Settings({"gaussian": {}, "similarity": {}}, batch_size=1), "cpu")
    engine.run(2)
    assert len(uploads) == 1
