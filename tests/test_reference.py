"""PtyRAD 1.0.0's own numbers (tests/files/ptyrad_reference.h5, torch CPU float32) through the public surface.

Tolerances are what a right float32 implementation meets: patterns 3e-5 of the maximum, losses 3e-5 relative,
gradients 5e-4 of their norm (thickness 2e-2: PtyRAD's carrier phase costs it digits), constraints 1e-3, probes 1e-4
and modes 1e-3, the trajectory's loss curve 1e-4.
"""

from __future__ import annotations

import ast
from pathlib import Path

import h5py
import numpy as np
import pytest

import ptycupy
from ptycupy.config.constraints import PTYRAD_NAMES

FILE = Path(__file__).parent / "files" / "ptyrad_reference.h5"
TERMS = {
    "loss_single": "gaussian",
    "loss_poissn": "poisson",
    "loss_pacbed": "pacbed",
    "loss_sparse": "sparsity",
    "loss_simlar": "similarity",
}
KEYS = {"dp_pow": "power", "ln_order": "order", "weight": "weight", "eps": "eps", "blur_std": "blur"}
FIELDS = {
    "obja": "object_amplitude",
    "objp": "object_phase",
    "probe": "probe",
    "probe_pos_shifts": "shifts",
    "obj_tilts": "tilts",
    "slice_thickness": "slice_thickness",
}


def scene(group, **more):
    i = {name: data[()] for name, data in group["in"].items()}
    problem = ptycupy.Problem(
        i["measurements"],
        i["crop_pos"],
        float(i["dx"]),
        float(i["lambd"]),
        object_occupancy=i["omode_occu"],
        detector_blur=float(group.attrs.get("detector_blur_std_px", 0.0)),
        **more,
    )
    state = ptycupy.State(
        np.abs(i["obj"]).astype("f4"),
        np.angle(i["obj"]).astype("f4"),
        i.get("probe_before", i["probe"]),
        i["probe_pos_shifts"],
        i["obj_tilts"],
        i["slice_thickness"],
    )
    return problem, state, i


def terms(spec):
    return {TERMS[k]: {KEYS[a]: b for a, b in v.items() if a in KEYS} for k, v in spec.items()}


with h5py.File(FILE) as f:
    CASES = list(f["forward"])
    LOSSES = [(case, name) for case in CASES for name in f["forward"][case]["loss"]]
    CONSTRAINTS = list(f["constraint"])
    PROBES = list(f["probe"])


@pytest.mark.parametrize("case", CASES)
def test_patterns(case):
    with h5py.File(FILE) as f:
        group = f["forward"][case]
        problem, state, i = scene(group)
        expected = group["dp"][()]
    found = ptycupy.forward(problem, state, i["indices"], backend="cpu")
    assert np.abs(found - expected).max() < 3e-5 * expected.max()


@pytest.mark.parametrize(("case", "name"), LOSSES)
def test_losses_and_gradients(case, name):
    with h5py.File(FILE) as f:
        group = f["forward"][case]
        problem, state, i = scene(group)
        entry = group["loss"][name]
        losses = terms(ast.literal_eval(entry.attrs["spec"]))
        expected = {k: g[()] for k, g in entry["grad"].items()}
        total = entry.attrs["total"]
    loss, gradients = ptycupy.loss_and_gradients(problem, state, i["indices"], losses, backend="cpu")
    assert loss.total == pytest.approx(total, rel=3e-5)
    for key, wanted in expected.items():
        found = np.asarray(getattr(gradients, FIELDS[key])).reshape(wanted.shape)
        tolerance = 2e-2 if key == "slice_thickness" else 5e-4
        assert np.linalg.norm(found - wanted) <= tolerance * np.linalg.norm(wanted), key


def test_all_constraints_but_the_one_that_is_wrong_there_are_compared():
    """PtyRAD's kr_thresh has an inverse cosine transform that is none."""
    assert {*PTYRAD_NAMES, "complex_ratio"} - {"kr_thresh"} == set(CONSTRAINTS)


@pytest.mark.parametrize("kind", ["cpu", "cuda on cpu"])
@pytest.mark.parametrize("name", CONSTRAINTS)
def test_constraints(name, kind, host_cuda_backend):
    with h5py.File(FILE) as f:
        group = f["constraint"][name]
        problem, state, i = scene(group, scan_shape=tuple(int(n) for n in group.attrs["scan_shape"]))
        spec = ast.literal_eval(group.attrs["spec"])
        expected = {k: g[()] for k, g in group["out"].items()}
    if name == "fix_probe_int":
        spec["target"] = float((np.abs(i["probe"].astype("c16")) ** 2).sum())
    backend = "cpu" if kind == "cpu" else host_cuda_backend("float32")
    new = ptycupy.apply_constraint(PTYRAD_NAMES.get(name, name), problem, state, backend=backend, **spec)
    for key, wanted in expected.items():
        found = np.asarray(getattr(new, FIELDS[key]))
        if key == "probe" and name == "ortho_pmode":  # a mode's phase is free
            found, wanted = np.abs(found), np.abs(wanted)
        if key == "probe" and name == "obj_z_recenter":  # the carrier's phase is left out here
            found = found * np.exp(-1j * np.angle(np.vdot(wanted, found)))
        assert np.linalg.norm(found - wanted) <= 1e-3 * np.linalg.norm(wanted) + 1e-12, key


@pytest.mark.parametrize("name", PROBES)
def test_simulated_probes(name):
    with h5py.File(FILE) as f:
        group = f["probe"][name]
        a = group.attrs
        settings = (float(a["kv"]), float(a["conv_angle_mrad"]), (int(a["npix"]),) * 2, float(a["dx"]))
        aberrations = ast.literal_eval(a["aberrations"])
        expected = group["probe"][()]
        mixed = group["mixed"][()] if "mixed" in group else None
    found = ptycupy.make_probe(*settings, aberrations=aberrations)
    assert np.linalg.norm(found - expected) < 1e-4 * np.linalg.norm(expected)
    if mixed is not None:
        found = ptycupy.make_probe(*settings, aberrations=aberrations, modes=6, mode_power=0.02)
        assert np.linalg.norm(np.abs(found) - np.abs(mixed)) < 1e-3 * np.linalg.norm(mixed)


def trajectory(phases):
    """Ten iterations of four batches, all six parameters; `phases(before, after)` may turn the modes' free phases."""
    with h5py.File(FILE) as f:
        group = f["trajectory"]["adam_all_parameters"]
        problem, state, i = scene(group)
        expected = {k: g[()] for k, g in group["out"].items()}
    rates = {"object_amplitude": 5e-4, "object_phase": 5e-4, "probe": 1e-4, "shifts": 5e-4}
    settings = ptycupy.Settings(
        {"gaussian": {}, "sparsity": {}}, learning_rates={**rates, "tilts": 1e-2, "slice_thickness": 1e-3}
    )
    engine = ptycupy.Engine(problem, state, settings, backend="cpu")
    losses = []
    for _ in expected["losses"]:
        losses.append([engine.step(batch).total for batch in i["batches"]])
        before = engine.state.probe
        engine.constrain("orthogonal_probe")
        engine.parameters.probe[...] *= phases(before, engine.state.probe)[:, None, None]
        engine.constrain("fixed_probe_intensity", target=float((np.abs(i["probe"].astype("c16")) ** 2).sum()))
        engine.constrain("depth_blur", std=1.0)
        engine.constrain("amplitude_threshold", thresh=(0.96, 1.04))
        engine.constrain("positive_phase")
    return np.array(losses), engine.state, expected


def lapack_phases(before, after):
    """What turns orthogonal modes to the phases of LAPACK's eigenvectors, which torch uses."""
    m = before.reshape(len(before), -1).astype(complex)
    vectors = np.linalg.eigh(m @ m.conj().T)[1][:, ::-1]
    theirs = vectors.conj().T @ m
    overlaps = (after.reshape(m.shape).conj() * theirs).sum(axis=1)
    np.testing.assert_allclose(np.abs(overlaps), (np.abs(theirs) ** 2).sum(axis=1), rtol=1e-4)  # the same modes
    return overlaps / np.abs(overlaps)


def test_adam_trajectory_with_constraints():
    """Each loss to 1e-4 and the parameters to 2e-4 of their norm, in the gauge that LAPACK happens to choose.

    A mode's phase is free, but Adam's moments remember it, so PtyRAD's trajectory depends on LAPACK's choice, which
    turns the strongest mode round every iteration.
    """
    losses, final, expected = trajectory(lapack_phases)
    np.testing.assert_allclose(losses, expected["losses"], rtol=1e-4)
    for key, field in FIELDS.items():
        found, wanted = np.abs(np.asarray(getattr(final, field))), np.abs(expected[key])
        assert np.linalg.norm(found - wanted) <= 2e-4 * np.linalg.norm(wanted), key


def test_modes_that_keep_their_phases_do_better():
    """Our own choice leaves the modes as near as possible to what the moments remember: every loss is lower."""
    losses, _, expected = trajectory(lambda before, after: np.ones(len(after)))
    assert (losses <= expected["losses"] * (1 + 1e-5)).all()
    assert losses[-1, -1] < 0.98 * expected["losses"][-1, -1]
