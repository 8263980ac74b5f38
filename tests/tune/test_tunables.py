"""Every tunable of the paper's Table S2, and more, by its key: changing it changes what is reconstructed (row 67)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ptycupy import experiment
from ptycupy.config import read_dict
from ptycupy.data.source import ArraySource
from ptycupy.reconstruction.configured import settings_from
from ptycupy.tune.space import Space

BASE: dict[str, Any] = {
    "data": {"path": "patterns.npy", "scan_shape": [5, 5]},
    "illumination": {"voltage_kv": 80, "convergence_angle_mrad": 20.0, "aberrations": {"C10": -50}},
    "calibration": {"mode": "pixel_size_angstrom", "value": 0.25},
    "scan": {"step_angstrom": 0.9},
    "object": {"slices": 3, "total_thickness_angstrom": 12.0},
    "optimizer": {"tilts": 1e-4, "slice_thickness": 1e-4},
}
RATES = ("object_amplitude", "object_phase", "probe", "shifts", "tilts", "slice_thickness")
ROUND = ("C10", "C30", "C50")
OTHERS = ("C12", "C21", "C23", "C32", "C34", "C41", "C43", "C45", "C52", "C54", "C56")
ABERRATIONS = (*ROUND, *(f"{name}{part}" for name in OTHERS for part in "ab"))
# Key, a value other than the base's, and what of the Problem, the State or the Settings it changes.
TUNABLES: list[tuple[str, Any, set[str]]] = [
    ("optimizer.name", "adamw", {"optimizer"}),
    ("reconstruction.batch_size", 8, {"batch_size"}),
    *((f"optimizer.{name}", 3e-3, {"learning_rates"}) for name in RATES),
    ("calibration.value", 0.24, {"pixel_size", "corners", "probe"}),
    ("illumination.modes", 2, {"probe"}),
    ("illumination.convergence_angle_mrad", 21.0, {"probe"}),
    *((f"illumination.aberrations.{name}", 1e6 if name > "C4" else 1e4, {"probe"}) for name in ABERRATIONS),
    ("illumination.aberrations.C12", 80.0, {"probe"}),
    ("illumination.shift_along_beam_angstrom", 20.0, {"probe"}),
    ("object.slices", 4, {"object_phase", "slice_thickness"}),
    ("object.total_thickness_angstrom", 15.0, {"slice_thickness"}),
    ("scan.affine.scale", 1.05, {"corners"}),
    ("scan.affine.asymmetry", 0.1, {"corners"}),
    ("scan.affine.rotation_degrees", 4.0, {"corners"}),
    ("scan.affine.shear_degrees", 4.0, {"corners"}),
    ("object.tilt_mrad.0", 2.0, {"tilts"}),
    ("object.tilt_mrad.1", -2.0, {"tilts"}),
    ("object.modes", 2, {"object_phase", "object_occupancy"}),
    ("model.detector_blur_px", 0.7, {"detector_blur"}),
    ("losses.gaussian.power", 0.3, {"losses"}),
    ("constraints.depth_blur.std", 2.0, {"constraints"}),
    ("scan.jitter_px", 0.5, {"shifts"}),
    ("data.normalisation", "mean_at_one", {"pattern_scale", "probe"}),
]


@pytest.fixture(scope="module")
def source() -> ArraySource:
    y, x = np.mgrid[-16:16, -16:16]
    disk = np.hypot(y, x) < 5.0
    noise = np.random.default_rng(0).uniform(0.5, 1.0, (25, 32, 32))
    return ArraySource((disk * noise * 100).astype(np.float32), (5, 5))


def space_of(*keys: tuple[str, Any], **base: Any) -> Space:
    tune = {"space": {key: {"choices": [value]} for key, value in keys}}
    return Space(read_dict({**BASE, **base, "tune": tune}).config)


def resolved(config, source) -> dict[str, Any]:
    """Everything that an engine is made of, by name."""
    problem, state = experiment.build(config, source)
    settings = settings_from(config)
    return {**vars(problem), **vars(state), **vars(settings)} | {"patterns": None}


def same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return np.array_equal(np.asarray(one), np.asarray(other))
    return repr(one) == repr(other)


@pytest.mark.parametrize(("key", "value", "expected"), TUNABLES, ids=[key for key, *_ in TUNABLES])
def test_fault_67_a_tuned_key_changes_the_resolved_problem(key, value, expected, source):
    space = space_of((key, value))
    before, after = (resolved(space.config(values), source) for values in ({}, {key: value}))
    changed = {name for name in before if not same(before[name], after[name])}
    assert expected <= changed, f"{key} changed only {changed}"


def test_the_slice_thickness_itself_is_one(source):
    section = {"slices": 3, "slice_thickness_angstrom": 4.0}
    key = "object.slice_thickness_angstrom"
    space = space_of((key, 5.0), object=section)
    before, after = (resolved(space.config(values), source) for values in ({}, {key: 5.0}))
    assert (before["slice_thickness"], after["slice_thickness"]) == (4.0, 5.0)


def test_total_thickness_stays_where_the_slices_change(source):
    space = space_of(("object.slices", 6))
    assert resolved(space.config({}), source)["slice_thickness"] == 4.0
    assert resolved(space.config({"object.slices": 6}), source)["slice_thickness"] == 2.0


def test_a_tuned_rate_keeps_its_start(source):
    optimizer = {"probe": {"learning_rate": 1e-4, "start": 5}}
    rate = space_of(("optimizer.probe", 1e-2), optimizer=optimizer).config({"optimizer.probe": 1e-2}).optimizer.probe
    assert (rate.learning_rate, rate.start) == (1e-2, 5)


def test_identity_affine_is_put_back_after_a_trial_without_it(source):
    """PtyRAD leaves the last trial's affine where a trial draws the identity."""
    space = space_of(("scan.affine.scale", 1.05))
    moved = resolved(space.config({"scan.affine.scale": 1.05}), source)
    home = resolved(space.config({"scan.affine.scale": 1.0}), source)
    assert not same(moved["corners"], home["corners"])
    assert same(home["corners"], resolved(space.config({}), source)["corners"])


def test_the_other_tilt_stays(source):
    section = {**BASE["object"], "tilt_mrad": [1.0, 2.0]}
    space = space_of(("object.tilt_mrad.0", 3.0), object=section)
    assert space.config({"object.tilt_mrad.0": 3.0}).object.tilt_mrad == (3.0, 2.0)


def test_only_a_changed_data_section_reads_the_patterns_again(tmp_path, cpu_backend):
    from ptycupy.tune.data import SharedData

    np.save(tmp_path / "patterns.npy", np.random.default_rng(0).uniform(1, 2, (25, 32, 32)).astype(np.float32))
    space = Space(read_dict({
        **BASE, "data": {"path": str(tmp_path / "patterns.npy"), "scan_shape": [5, 5]},
        "tune": {"space": {"calibration.value": {"low": 0.2, "high": 0.26}}},
    }).config)  # fmt: skip
    shared = SharedData(cpu_backend("float32"))
    first, _ = shared.problem(space.config({"calibration.value": 0.25}))
    second, _ = shared.problem(space.config({"calibration.value": 0.24}))
    assert first.patterns.patterns is second.patterns.patterns
    assert shared.passes == 1
    assert first.pixel_size != second.pixel_size
    blurred, _ = shared.problem(space.config({"data.detector_blur_px": 1.0}))
    assert shared.passes == 2
    assert not np.array_equal(np.asarray(blurred.patterns.patterns), np.asarray(first.patterns.patterns))
