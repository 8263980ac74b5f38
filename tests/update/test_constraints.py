"""Each constraint against plain NumPy, the iterations in which it runs, and its place among the others."""

from __future__ import annotations

import numpy as np
import pytest
from scenes import random_scene

import ptycupy
from ptycupy import Active, Constraint, Engine, Settings
from ptycupy.errors import ConfigError
from ptycupy.update.constraints import CONSTRAINTS, in_order

FIELDS = ("object_amplitude", "object_phase", "probe", "shifts", "tilts", "slice_thickness")


def apply(name, state=None, scene=None, **parameters):
    """(state before, state after) in doubles; all fields that the constraint is not about must be untouched."""
    problem, made = random_scene(**(scene or {}))
    state = made if state is None else state
    return state, ptycupy.apply_constraint(name, problem, state, backend="cpu", dtype="float64", **parameters)


def changed(before, after):
    return {name for name in FIELDS if not np.array_equal(getattr(before, name), getattr(after, name))}


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-13)


# --- probe ------------------------------------------------------------------------------------------------------
def density(probe):
    """The mixed state sum_p P_p P_p^*, which patterns depend on."""
    flat = probe.reshape(len(probe), -1)
    return flat.T @ flat.conj()


def test_orthogonal_probe_is_the_same_mixed_state_in_orthogonal_modes():
    before, after = apply("orthogonal_probe", scene={"probe_modes": 4})
    assert changed(before, after) == {"probe"}
    gram = np.einsum("ayx,byx->ab", after.probe, after.probe.conj())
    powers = np.diag(gram).real
    assert np.abs(gram - np.diag(powers)).max() < 1e-12 * powers[0]
    assert (np.diff(powers) <= 0).all()
    close(density(after.probe), density(before.probe))
    singular = np.linalg.svd(before.probe.reshape(4, -1), compute_uv=False)
    close(powers, singular**2)


def test_orthogonal_modes_stay_as_they_are():
    _, once = apply("orthogonal_probe", scene={"probe_modes": 3})
    _, twice = apply("orthogonal_probe", once)
    close(twice.probe, once.probe)


def test_one_mode_is_orthogonal_already():
    before, after = apply("orthogonal_probe", scene={"probe_modes": 1})
    assert changed(before, after) == set()


def test_modes_that_are_empty_or_alike_do_no_harm():
    _, state = random_scene(probe_modes=1)
    before = state.replace(probe=np.concatenate([0 * state.probe, state.probe, state.probe]))
    _, after = apply("orthogonal_probe", before)
    close(after.probe[0] * np.exp(1j * np.angle(np.vdot(after.probe[0], state.probe[0]))), np.sqrt(2) * state.probe[0])
    assert np.abs(after.probe[1:]).max() < 1e-7 * np.abs(after.probe[0]).max()


@pytest.mark.parametrize("modes", [1, 3])
def test_fixed_probe_intensity_scales_all_modes_alike(modes):
    before, after = apply("fixed_probe_intensity", scene={"probe_modes": modes}, target=7.0)
    assert changed(before, after) == {"probe"}
    close(after.probe, before.probe * np.sqrt(7.0 / (np.abs(before.probe) ** 2).sum()))


def test_fixed_probe_intensity_remembers_the_start():
    problem, state = random_scene()
    settings = Settings(
        {"gaussian": {}}, learning_rates={"probe": 0.05}, constraints=[Constraint("fixed_probe_intensity")]
    )
    engine = Engine(problem, state, settings, "cpu", "float64")
    engine.run(3)
    assert (np.abs(engine.state.probe) ** 2).sum() == pytest.approx((np.abs(state.probe) ** 2).sum(), rel=1e-12)
    assert np.abs(engine.state.probe - state.probe).max() > 0.01


# --- object -----------------------------------------------------------------------------------------------------
def gaussian(std, size):
    taps = np.exp(-0.5 * ((np.arange(size) - (size - 1) / 2) / std) ** 2)
    return taps / taps.sum()


def blurred(field, axis, std, size, mode):
    """A plain correlation with edges as np.pad has them; an even kernel reaches further towards the end."""
    before = (size - 1) // 2
    widths = [(before, size - 1 - before) if a == axis else (0, 0) for a in range(4)]
    padded = np.pad(field, widths, mode=mode)
    length = field.shape[axis]
    return sum(tap * np.take(padded, range(i, i + length), axis) for i, tap in enumerate(gaussian(std, size)))


CHOSEN = [
    ("amplitude", {"object_amplitude"}),
    ("phase", {"object_phase"}),
    ("both", {"object_amplitude", "object_phase"}),
]


@pytest.mark.parametrize(("obj_type", "names"), CHOSEN)
@pytest.mark.parametrize(("std", "size"), [(0.4, 5), (1.3, 7), (0.8, 4)])
@pytest.mark.parametrize("relax", [0.0, 0.3])
def test_lateral_blur(obj_type, names, std, size, relax):
    before, after = apply("lateral_blur", obj_type=obj_type, std=std, kernel_size=size, relax=relax)
    assert changed(before, after) == names
    for name in names:
        field = getattr(before, name)
        soft = blurred(blurred(field, 2, std, size, "reflect"), 3, std, size, "reflect")
        close(getattr(after, name), relax * field + (1 - relax) * soft)


@pytest.mark.parametrize(("obj_type", "names"), CHOSEN)
@pytest.mark.parametrize(("slices", "std", "size"), [(6, 1.0, 5), (2, 1.0, 5), (3, 0.7, 4)])
@pytest.mark.parametrize("relax", [0.0, 0.3])
def test_depth_blur(obj_type, names, slices, std, size, relax):
    before, after = apply(
        "depth_blur", scene={"slices": slices}, obj_type=obj_type, std=std, kernel_size=size, relax=relax
    )
    assert changed(before, after) == names
    for name in names:
        field = getattr(before, name)
        close(getattr(after, name), relax * field + (1 - relax) * blurred(field, 1, std, size, "edge"))


def test_default_blurs_are_the_papers():
    for name, axes, std, mode in (("lateral_blur", (2, 3), 0.4, "reflect"), ("depth_blur", (1,), 1.0, "edge")):
        before, after = apply(name)
        expected = before.object_phase
        for axis in axes:
            expected = blurred(expected, axis, std, 5, mode)
        close(after.object_phase, expected)


@pytest.mark.parametrize("name", ["lateral_blur", "depth_blur"])
def test_a_blur_of_width_zero_and_depth_of_one_slice_change_nothing(name):
    before, after = apply(name, std=0.0)
    assert changed(before, after) == set()
    before, after = apply(name, scene={"slices": 1})
    assert changed(before, after) == (set() if name == "depth_blur" else {"object_amplitude", "object_phase"})


@pytest.mark.parametrize("relax", [0.0, 0.25])
def test_amplitude_threshold(relax):
    before, after = apply("amplitude_threshold", thresh=(0.95, 1.1), relax=relax)
    assert changed(before, after) == {"object_amplitude"}
    given = before.object_amplitude
    close(after.object_amplitude, relax * given + (1 - relax) * np.clip(given, 0.95, 1.1))
    _, default = apply("amplitude_threshold")
    close(default.object_amplitude, np.clip(given, 0.98, 1.02))


@pytest.mark.parametrize("relax", [0.0, 0.25])
def test_positive_phase(relax):
    before, after = apply("positive_phase", relax=relax)
    assert changed(before, after) == {"object_phase"}
    given = before.object_phase
    close(after.object_phase, relax * given + (1 - relax) * np.maximum(given, 0))


# --- positions --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("relax", [0.0, 0.25])
@pytest.mark.parametrize("positions", [5, 1])
def test_position_recentring(relax, positions):
    before, after = apply("position_recentring", scene={"positions": positions}, relax=relax)
    assert changed(before, after) == {"shifts"}
    close(after.shifts, before.shifts - (1 - relax) * before.shifts.mean(axis=0))


# --- all of them ------------------------------------------------------------------------------------------------
SCANNED = {"positions": 6, "scan_shape": (2, 3)}
ACTING = {"fixed_probe_intensity": {"target": 3.0}}  # at its default it changes nothing here


@pytest.mark.parametrize("name", CONSTRAINTS)
def test_relax_of_one_is_no_constraint(name):
    before, after = apply(name, scene=SCANNED, relax=1.0)
    for field in FIELDS:
        close(getattr(after, field), getattr(before, field))


@pytest.mark.parametrize("name", CONSTRAINTS)
def test_each_does_the_same_with_the_cuda_sources(name, host_cuda_backend):
    problem, state = random_scene(**SCANNED)
    states = [
        ptycupy.apply_constraint(name, problem, state, backend=backend, dtype="float64", **ACTING.get(name, {}))
        for backend in ("cpu", host_cuda_backend("float64"))
    ]
    assert changed(state, states[0])
    for field in FIELDS:
        ours, theirs = (np.asarray(getattr(s, field)) for s in states)
        if name == "orthogonal_probe" and field == "probe":  # a mode's phase is free
            ours, theirs = np.abs(ours), np.abs(theirs)
        np.testing.assert_allclose(theirs, ours, rtol=0, atol=1e-11 * np.abs(ours).max())


@pytest.mark.parametrize("name", CONSTRAINTS)
def test_each_acts_in_its_iterations_only(name):
    """Nothing but the constraint changes anything, and it does: in iterations 2 and 4, not in 1, 3 and 5."""
    problem, state = random_scene(**SCANNED)
    state = state.replace(probe=state.probe[::-1].copy())  # not sorted
    listed = [Constraint(name, start=2, step=2, end=5, **ACTING.get(name, {}))]
    engine = Engine(problem, state, Settings({"gaussian": {}}, constraints=listed), "cpu", "float64")
    acted = []
    for _ in range(5):
        before = engine.state
        engine.run(1)
        acted.append(bool(changed(before, engine.state)))
    assert acted[:2] == [False, True]
    assert not acted[2]
    assert not acted[4]


def test_they_run_in_the_order_of_ptyrad_and_ones_own_come_last():
    """Whatever the order in which they are listed: the last word has who may not be undone by another."""
    from ptycupy.config.constraints import PTYRAD_NAMES

    ptyrad = [
        "probe_mask_k", "probe_mask_r", "ortho_pmode", "fix_probe_int", "obj_rblur", "obj_zblur", "kr_filter",
        "kz_filter", "kr_thresh", "complex_ratio", "mirrored_amp", "obj_z_recenter", "obja_thresh", "objp_postiv",
        "pos_recenter", "tilt_smooth",
    ]  # fmt: skip
    theirs = [PTYRAD_NAMES.get(name, name) for name in ptyrad]
    assert [name for name in CONSTRAINTS if name in theirs] == theirs
    shuffled = [Constraint(name) for name in ("mine", *reversed(CONSTRAINTS), "yours")]
    assert [c.name for c in in_order(shuffled)] == [*CONSTRAINTS, "mine", "yours"]


def test_the_loop_applies_them_in_that_order():
    """A blur after the threshold would leave other values than the threshold after the blur."""
    problem, state = random_scene()
    listed = [Constraint("amplitude_threshold"), Constraint("lateral_blur", std=1.0), Constraint("depth_blur")]
    engine = Engine(problem, state, Settings({"gaussian": {}}, constraints=listed), "cpu", "float64")
    engine.run(1)
    soft = state.object_amplitude
    for axis, mode in ((2, "reflect"), (3, "reflect"), (1, "edge")):
        soft = blurred(soft, axis, 1.0, 5, mode)
    close(engine.state.object_amplitude, np.clip(soft, 0.98, 1.02))


@pytest.mark.parametrize(
    ("start", "step", "end", "expected"),
    [
        (1, 1, None, [1, 2, 3, 4, 5, 6, 7]),
        (3, 1, None, [3, 4, 5, 6, 7]),
        (2, 2, None, [2, 4, 6]),
        (1, 3, 7, [1, 4]),
        (2, 1, 3, [2]),
        (4, 1, 4, []),
        (9, 1, None, []),
    ],
)
def test_iterations_in_which_one_runs(start, step, end, expected):
    """From start, every step, before end."""
    active = Active(start, step, end)
    assert [n for n in range(1, 8) if n in active] == expected
    ran = []

    def recorder(backend, parameters, context):
        ran.append(engine.iteration + 1)  # an iteration counts once it is finished

    problem, state = random_scene(positions=1, slices=1)
    listed = [Constraint(recorder, start, step, end)]
    engine = Engine(problem, state, Settings({"gaussian": {}}, constraints=listed), "cpu")
    engine.run(7)
    assert ran == expected


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("orthogonal", {}, "orthogonal.*unknown.*orthogonal_probe"),
        ("depth_blur", {"sigma": 1.0}, "depth_blur.*unknown parameter 'sigma'"),
        ("orthogonal_probe", {"std": 0.5}, "orthogonal_probe.*unknown parameter 'std'"),
        ("positive_phase", {"mode": "clip"}, "mode: 'clip' must be"),
        ("frequency_threshold", {"thresh": 0.0}, "thresh: 0.0 must be a share"),
        ("depth_recentring", {"thresh": 101.0}, "thresh: 101.0 must be a percentile"),
        ("probe_real_mask", {"z_range": (1.0, -1.0)}, "z_range.*low, high"),
        ("tilt_smoothing", {}, "needs scan_shape"),
        ("lateral_blur", {"obj_type": "phse"}, "obj_type: 'phse' must be"),
        ("amplitude_threshold", {"thresh": (1.02, 0.98)}, "thresh.*low, high"),
    ],
)
def test_what_cannot_be_meant_is_refused(name, parameters, message):
    with pytest.raises(ConfigError, match=message):
        apply(name, **parameters)
