"""What other packages depend on: names, signatures, shapes and kinds of arrays, exactly as documented."""

from __future__ import annotations

import inspect
import pickle
import subprocess
import sys
from dataclasses import FrozenInstanceError, fields, is_dataclass, replace
from types import ModuleType

import numpy as np
import pytest
from scenes import random_scene

import ptycupy
from ptycupy import Active, Constraint, Engine, Problem, Settings, State
from ptycupy.data.source import ArraySource
from ptycupy.errors import ConfigError, DataError
from ptycupy.storage.result import load_result

FIELDS = ("object_amplitude", "object_phase", "probe", "shifts", "tilts", "slice_thickness")
GAUSSIAN = {"gaussian": {}}
RATES = dict.fromkeys(FIELDS, 1e-3)


# --- names and signatures ---------------------------------------------------------------------------------------
def parameters_of(function):
    """Names with their defaults; `...` where there is none."""
    found = inspect.signature(function).parameters.values()
    marks = {inspect.Parameter.VAR_KEYWORD: "**", inspect.Parameter.VAR_POSITIONAL: "*"}
    return {marks.get(p.kind, "") + p.name: ... if p.default is p.empty else p.default for p in found}


EVERY_FIELD = dict.fromkeys(FIELDS, ...)
CALL = {"backend": "auto", "dtype": "float32"}


@pytest.mark.parametrize(
    ("name", "beginning"),
    [
        ("Problem", {"patterns": ..., "corners": ..., "pixel_size": None, "wavelength": None, "object_occupancy": None,
                     "detector_blur": 0.0, "mask": None, "scan_shape": None, "pattern_scale": 1.0}),
        ("State", EVERY_FIELD),
        ("forward", {"problem": ..., "state": ..., "indices": ..., **CALL}),
        ("loss_and_gradients", {"problem": ..., "state": ..., "indices": ..., "losses": ..., **CALL,
                                "parameters": None}),
        ("Constraint", {"name": ..., "start": 1, "step": 1, "end": None, "**parameters": ...}),
        ("Engine", {"problem": ..., "state": ..., "settings": ..., **CALL}),
        ("apply_constraint", {"name": ..., "problem": ..., "state": ..., **CALL, "**parameters": ...}),
        ("make_probe", {"kv": ..., "convergence_angle": ..., "shape": ..., "pixel_size": ..., "aberrations": {},
                        "modes": 1, "mode_power": 0.02}),
        ("check_gradient", {"op": ..., "*inputs": ..., "dtype": "float32"}),
        ("reconstruct", {"config": ...}),
    ],
)  # fmt: skip
def test_signatures(name, beginning):
    """Keywords in this order with these defaults; more may follow."""
    found = parameters_of(getattr(ptycupy, name))
    assert list(found.items())[: len(beginning)] == list(beginning.items())


def test_signature_of_settings():
    found = parameters_of(Settings)
    assert list(found)[:8] == [
        "losses", "optimizer", "learning_rates", "schedule", "constraints", "batch_size", "grouping", "seed",
    ]  # fmt: skip
    made = Settings({"gaussian": {}})
    assert (made.optimizer, made.schedule, made.batch_size, made.grouping, made.seed) == ("adam", None, 16, "random", 0)


def test_every_public_name_can_be_imported_and_no_other():
    for name in ptycupy.__all__:
        assert getattr(ptycupy, name) is not None
    assert set(ptycupy.__all__) < set(dir(ptycupy))
    assert isinstance(ptycupy.backends, ModuleType)
    assert ptycupy.__version__.count(".") == 2
    with pytest.raises(AttributeError, match="no attribute 'Enigne'"):
        _ = ptycupy.Enigne


def test_methods_and_attributes():
    assert [name for name in ("run", "step", "state", "save") if not hasattr(Engine, name)] == []
    assert [name for name in ("state", "history", "save", "export") if not hasattr(ptycupy.Result, name)] == []
    assert [name for name in ("forward", "backward") if not hasattr(ptycupy.Op, name)] == []
    assert [name for name in ("apply", "backward", "variable", "constant") if not hasattr(ptycupy.Tape, name)] == []
    assert tuple(field.name for field in fields(State))[:6] == FIELDS  # those after them are optional


@pytest.mark.parametrize("kind", [Problem, State, Settings, Constraint, Active])
def test_what_describes_is_frozen(kind):
    assert is_dataclass(kind)
    problem, state = random_scene()
    made = {Problem: problem, State: state, Settings: Settings(GAUSSIAN), Constraint: Constraint("depth_blur")}
    target = made.get(kind, Active())
    with pytest.raises(FrozenInstanceError):
        setattr(target, fields(kind)[0].name, 1)


def test_what_describes_can_be_pickled():
    problem, state = random_scene()
    settings = Settings(GAUSSIAN, learning_rates=RATES, constraints=[Constraint("depth_blur", 2, 3, 9, std=0.5)])
    again = pickle.loads(pickle.dumps((problem, state, settings)))
    np.testing.assert_array_equal(again[0].patterns, problem.patterns)
    np.testing.assert_array_equal(again[1].probe, state.probe)
    assert again[2] == settings
    assert again[2].constraints[0].parameters == {"std": 0.5}


def test_backends_say_why_they_cannot_be_used():
    found = ptycupy.backends.available()
    assert list(found) == ["cpu", "cuda"]
    assert found["cpu"] == ""
    assert all(isinstance(reason, str) and "\n" not in reason for reason in found.values())


# --- forward and gradients --------------------------------------------------------------------------------------
def test_forward_has_the_beam_in_the_centre_and_the_probes_units():
    problem, state = random_scene(window=(12, 10))
    found = ptycupy.forward(problem, state, [3, 0], backend="cpu")
    assert (found.shape, found.dtype) == ((2, 12, 10), np.float32)
    vacuum = state.replace(object_amplitude=np.ones_like(state.object_amplitude), object_phase=0 * state.object_phase)
    flat = vacuum.replace(probe=np.ones((1, 12, 10)), tilts=np.zeros((1, 2)))
    pattern = ptycupy.forward(problem, flat, [0], backend="cpu", dtype="float64")[0]
    assert np.unravel_index(pattern.argmax(), pattern.shape) == (6, 5)
    assert pattern.sum() == pytest.approx(120)


def test_forward_of_no_position_is_empty_and_a_loss_of_none_is_refused():
    problem, state = random_scene()
    assert ptycupy.forward(problem, state, [], backend="cpu").shape == (0, 12, 12)
    with pytest.raises(DataError, match="indices: 0 positions"):
        ptycupy.loss_and_gradients(problem, state, [], GAUSSIAN, backend="cpu")
    with pytest.raises(DataError, match="indices: 0 positions"):
        Engine(problem, state, Settings(GAUSSIAN), backend="cpu").step([])
    with pytest.raises(DataError, match="no position is left"):
        Engine(replace(problem, pattern_weights=np.zeros(5, bool)), state, Settings(GAUSSIAN), backend="cpu")


def test_a_loss_has_a_total_and_weighted_terms():
    problem, state = random_scene()
    losses = {"gaussian": {"weight": 2.0}, "sparsity": {"weight": 0.5, "order": 1}}
    loss, _ = ptycupy.loss_and_gradients(problem, state, [0, 1], losses, backend="cpu", parameters=())
    assert list(loss.terms) == ["gaussian", "sparsity"]
    assert loss.total == pytest.approx(sum(loss.terms.values()))
    one, _ = ptycupy.loss_and_gradients(problem, state, [0, 1], GAUSSIAN, backend="cpu", parameters=())
    assert loss.terms["gaussian"] == pytest.approx(2 * one.total)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gradients_have_the_states_shapes_and_vanish_outside_the_batch(dtype):
    problem, state = random_scene()
    _, gradients = ptycupy.loss_and_gradients(problem, state, [4, 1], GAUSSIAN, backend="cpu", dtype=dtype)
    assert isinstance(gradients, State)
    for name in FIELDS:
        found, given = getattr(gradients, name), np.asarray(getattr(state, name))
        assert found.shape == given.shape, name
        assert found.dtype == np.result_type(dtype, "c8" if name == "probe" else dtype), name
        assert found.any(), name
    for rows in (gradients.shifts, gradients.tilts):
        np.testing.assert_array_equal(rows.any(axis=1), [False, True, False, False, True])


def test_gradients_that_are_not_wanted_are_none():
    problem, state = random_scene()
    _, gradients = ptycupy.loss_and_gradients(problem, state, [0], GAUSSIAN, backend="cpu", parameters=["tilts"])
    assert [name for name, grad in gradients.items() if grad is not None] == ["tilts"]
    with pytest.raises(ConfigError, match="'tilt' is no State field"):
        ptycupy.loss_and_gradients(problem, state, [0], GAUSSIAN, backend="cpu", parameters=["tilt"])


@pytest.mark.parametrize(("thickness", "shape"), [(8.0, ()), (np.array(8.0), ()), (np.array([8.0, 9.0]), (2,))])
def test_thickness_comes_back_as_it_was_given(thickness, shape):
    problem, state = random_scene()
    state = state.replace(slice_thickness=thickness)
    _, gradients = ptycupy.loss_and_gradients(problem, state, [0], GAUSSIAN, backend="cpu")
    constrained = ptycupy.apply_constraint("depth_blur", problem, state, backend="cpu")
    engine = Engine(problem, state, Settings(GAUSSIAN, learning_rates=RATES), backend="cpu")
    engine.run(1)
    for found in (gradients, constrained, engine.state):
        assert np.shape(found.slice_thickness) == shape
    if not shape:
        each = state.replace(slice_thickness=np.full(2, 8.0))
        _, parts = ptycupy.loss_and_gradients(problem, each, [0], GAUSSIAN, backend="cpu")
        assert gradients.slice_thickness == pytest.approx(parts.slice_thickness.sum(), rel=1e-4)


def test_one_slice_needs_no_pixel_size_and_has_no_gap():
    problem, state = random_scene(slices=1, pixel_size=None, wavelength=None)
    for thickness in (0.0, np.zeros(0)):
        engine = Engine(
            problem, state.replace(slice_thickness=thickness), Settings(GAUSSIAN, learning_rates=RATES), "cpu"
        )
        engine.run(1)
        assert engine.state.slice_thickness.shape == np.shape(thickness)
        assert np.isfinite(engine.history.total).all()


def test_masked_pixels_do_not_count():
    """True = the pixel counts; means run over counted pixels; the beam of the mask is in the centre too."""
    mask = np.ones((12, 10), bool)
    mask[2:4, 5:] = False
    problem, state = random_scene(window=(12, 10), mask=mask)
    spoilt = problem.patterns.copy()
    spoilt[:, ~mask] = 1e6
    losses = {"gaussian": {}, "poisson": {}, "pacbed": {}}
    found = [
        ptycupy.loss_and_gradients(replace(problem, patterns=p), state, [0, 2], losses, "cpu", "float64")
        for p in (problem.patterns, spoilt)
    ]
    assert found[0][0].terms == found[1][0].terms
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(found[0][1], name), getattr(found[1][1], name), err_msg=name)
    model = np.sqrt(ptycupy.forward(problem, state, [0, 2], "cpu", "float64")[:, mask])
    measured = np.sqrt(problem.patterns[[0, 2]][:, mask])
    by_hand = np.sqrt(np.mean((model - measured) ** 2)) / measured.mean()
    assert found[0][0].terms["gaussian"] == pytest.approx(by_hand, rel=1e-12)


@pytest.mark.parametrize("scale", [3.0, np.array([1.0, 2.0, 3.0, 4.0, 5.0])], ids=["one number", "one per pattern"])
def test_pattern_scale_multiplies_patterns(scale):
    problem, state = random_scene()
    scaled = replace(problem, patterns=problem.patterns * np.reshape(scale, (-1, 1, 1)))
    losses = [
        ptycupy.loss_and_gradients(p, state, [0, 3], GAUSSIAN, "cpu", "float64", ())[0].total
        for p in (scaled, replace(problem, pattern_scale=scale))
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-12)


# --- arrays of every kind ---------------------------------------------------------------------------------------
class Foreign:
    """An array of another package that speaks DLPack and nothing else."""

    def __init__(self, values):
        self._values = values

    def __dlpack__(self, **keywords):
        return self._values.__dlpack__(**keywords)

    def __dlpack_device__(self):
        return self._values.__dlpack_device__()


class Tensor(Foreign):
    """What the engine uses of a torch tensor, whose `numpy` refuses a recorded or lazily conjugated one."""

    device = "cpu"
    recorded = True

    def detach(self):
        plain = Tensor(self._values)
        plain.recorded = False
        return plain

    def resolve_conj(self):
        return self

    resolve_neg = cpu = resolve_conj

    def __array__(self, dtype=None, copy=None):
        assert not self.recorded
        return np.asarray(self._values)


class Immutable(Foreign):
    """What the engine uses of a jax array, whose class is at home in another package than its functions."""

    def __array_namespace__(self):
        return sys.modules["fakejax"]


@pytest.fixture(autouse=True)
def packages(monkeypatch):
    """Stand-ins for packages that are not installed."""
    for kind, name, function in (
        (Foreign, "fakearrays", "from_dlpack"), (Tensor, "faketorch", "as_tensor"), (Immutable, "fakejax", "asarray"),
    ):  # fmt: skip
        module = ModuleType(name)

        def make(values, device="cpu", kind=kind, expected=Tensor.device):
            assert device == expected
            assert isinstance(values, np.ndarray | np.generic)
            return kind(values)

        setattr(module, function, make)
        monkeypatch.setitem(sys.modules, name, module)
        monkeypatch.setattr(kind, "__module__", f"{name}._core" if kind is not Immutable else "fakejaxlib")


def memory_map(tmp_path):
    def store(values, number=iter(range(99))):  # noqa: B008 - counts on purpose
        path = tmp_path / f"{next(number)}.npy"
        np.save(path, values)
        return np.load(path, mmap_mode="r")

    return store


KINDS = {"NumPy": np.asarray, "list": lambda values: np.asarray(values).tolist(), "DLPack": Foreign,
         "torch": Tensor, "jax": Immutable}  # fmt: skip


@pytest.mark.parametrize("kind", [*KINDS, "memory map"])
def test_arrays_of_any_kind_come_in_and_the_same_kind_goes_out(kind, tmp_path):
    convert = memory_map(tmp_path) if kind == "memory map" else KINDS[kind]
    problem, state = random_scene(mask=np.arange(144).reshape(12, 12) > 3)
    given = State(**{name: convert(np.array(value)) for name, value in state.items()})
    arrays = {name: convert(np.array(getattr(problem, name))) for name in ("corners", "object_occupancy", "mask")}
    foreign = replace(problem, patterns=convert(np.array(problem.patterns)), **arrays)
    indices = convert(np.array([2, 0]))
    call = {"backend": "cpu", "dtype": "float64"}
    out = KINDS[kind] if kind in {"DLPack", "torch", "jax"} else np.ndarray

    def check(found, wanted):
        assert isinstance(found, out)
        values = found._values if isinstance(found, Foreign) else found
        np.testing.assert_array_equal(values, wanted)

    check(ptycupy.forward(foreign, given, indices, **call), ptycupy.forward(problem, state, [2, 0], **call))
    loss, gradients = ptycupy.loss_and_gradients(foreign, given, indices, GAUSSIAN, **call)
    wanted = ptycupy.loss_and_gradients(problem, state, [2, 0], GAUSSIAN, **call)
    assert loss == wanted[0]
    constrained = ptycupy.apply_constraint("lateral_blur", foreign, given, **call)
    expected = ptycupy.apply_constraint("lateral_blur", problem, state, **call)
    for name in FIELDS:
        check(getattr(gradients, name), getattr(wanted[1], name))
        check(getattr(constrained, name), getattr(expected, name))
    engine = Engine(foreign, given, Settings(GAUSSIAN, learning_rates=RATES), **call)
    assert engine.step(indices) == wanted[0]
    assert all(isinstance(value, np.ndarray) for _, value in engine.state.items())


def test_a_pattern_source_is_read():
    problem, state = random_scene()
    source = ArraySource(problem.patterns.astype(np.uint16))
    found = [
        ptycupy.loss_and_gradients(replace(problem, patterns=p), state, [0, 1], GAUSSIAN, "cpu", "float64", ())[0]
        for p in (source, source.patterns)
    ]
    assert found[0] == found[1]


@pytest.mark.parametrize("dtype", ["?", "u1", "i2", "u4", "i8", "u8", "f2", ">f4", ">u2", "f8", "longdouble"])
def test_patterns_of_every_real_dtype(dtype):
    problem, state = random_scene()
    counts = (problem.patterns > 1).astype(dtype)
    found = [
        ptycupy.loss_and_gradients(replace(problem, patterns=p), state, [0, 1], GAUSSIAN, "cpu", "float64", ())[0]
        for p in (counts, counts.astype(float))
    ]
    assert found[0].total == found[1].total


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"patterns": "scan.h5"}, "patterns: str is no array of numbers"),
        ({"patterns": np.ones((5, 12, 12), complex)}, "patterns: dtype complex128 must be real"),
        ({"patterns": [[1, 2], [3]]}, "patterns: list cannot be read as an array"),
        ({"corners": np.full((5, 2), 0.5)}, "corners must be whole px"),
        ({"object_phase": np.ones((2, 3, 19, 18), complex)}, "object_phase: dtype complex128 must be real"),
        ({"probe": object()}, "probe: object is no array of numbers"),
    ],
)
def test_what_is_no_array_is_refused_by_name(change, message):
    problem, state = random_scene()
    (name,) = change
    problem, state = (replace(x, **change) if hasattr(x, name) else x for x in (problem, state))
    with pytest.raises(DataError, match=message):
        ptycupy.forward(problem, state, [0], backend="cpu")


@pytest.mark.parametrize("indices", [[5], [-1], [0.5], [True, False], [1, 1], [[0, 1]], 3])
def test_indices_that_cannot_be_meant_never_reach_a_kernel(indices):
    problem, state = random_scene()
    engine = Engine(problem, state, Settings(GAUSSIAN), backend="cpu")
    for call in (
        lambda: ptycupy.forward(problem, state, indices, backend="cpu"),
        lambda: ptycupy.loss_and_gradients(problem, state, indices, GAUSSIAN, backend="cpu"),
        lambda: engine.step(indices),
        lambda: engine.predict(indices),
    ):
        with pytest.raises(DataError, match="indices"):
            call()


def test_given_arrays_are_never_changed():
    """Read-only arrays are enough for everything, in the precision in which nothing need be copied."""
    problem, state = random_scene(mask=np.ones((12, 12), bool))
    for owner in (problem, state):
        for field in fields(owner):
            if isinstance(getattr(owner, field.name), np.ndarray):
                getattr(owner, field.name).flags.writeable = False
    call = {"backend": "cpu", "dtype": "float64"}
    losses = {"gaussian": {}, "poisson": {}, "pacbed": {}, "sparsity": {}, "similarity": {}}
    before = pickle.dumps((problem, state))
    ptycupy.forward(problem, state, [0], **call)
    ptycupy.loss_and_gradients(problem, state, [0, 1], losses, **call)
    for name in ("orthogonal_probe", "lateral_blur", "amplitude_threshold", "positive_phase", "position_recentring"):
        ptycupy.apply_constraint(name, problem, state, **call)
    Engine(problem, state, Settings(losses, learning_rates=RATES), **call).run(1)
    assert pickle.dumps((problem, state)) == before


# --- engine -----------------------------------------------------------------------------------------------------
def test_an_engine_steps_runs_and_saves(tmp_path):
    problem, state = random_scene()
    engine = Engine(problem, state, Settings(GAUSSIAN, learning_rates=RATES, batch_size=2), backend="cpu")
    first = engine.step([0, 1])
    assert engine.step([0, 1]).total < first.total
    assert engine.iteration == 0
    engine.run(2)
    engine.run(1)
    assert engine.history.iterations == [1, 2, 3]
    engine.save(tmp_path / "result.h5")
    saved = load_result(tmp_path / "result.h5").state
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(saved, name), getattr(engine.state, name))
    engine.state.probe[...] = 0
    assert engine.state.probe.any(), "engine.state is a copy"


def test_a_constraint_is_applied_as_the_loop_does():
    problem, state = random_scene()
    settings = Settings(GAUSSIAN, constraints=[Constraint("depth_blur", std=0.7)])
    engine = Engine(problem, state, settings, backend="cpu")
    engine.run(1)
    alone = ptycupy.apply_constraint("depth_blur", problem, state, backend="cpu", std=0.7)
    np.testing.assert_array_equal(alone.object_phase, engine.state.object_phase)


@pytest.mark.parametrize(
    "change",
    [{"grouping": "spars"}, {"sub_batch": 0}, {"windows": {"objp": Active()}}, {"on_divergence": "hope"}],
)
def test_settings_are_checked_when_they_are_made(change):
    with pytest.raises(ConfigError, match=next(iter(change))):
        Settings(GAUSSIAN, **change)
    with pytest.raises(ConfigError, match="'phse' must be amplitude"):
        Engine(*random_scene(), Settings({"similarity": {"fields": "phse"}}), backend="cpu")
    with pytest.raises(ConfigError, match="step: 0"):
        Constraint("depth_blur", step=0)


# --- what is imported -------------------------------------------------------------------------------------------
BLOCKED = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {absent}:
            raise ImportError(f"{{name}} is blocked")

sys.meta_path.insert(0, Absent())
sys.path.insert(0, {tests!r})
"""


def in_a_process(code, absent=()):
    """Standard output of Python code where some packages cannot be imported."""
    start = BLOCKED.format(absent=set(absent) or "()", tests=str(__file__.rpartition("test_public")[0]))
    # Numba tells of every installed extension that does not load, which here is what the test is about.
    strict = ["-W", "error", "-W", "ignore:Numba extension module"]
    done = subprocess.run([sys.executable, *strict, "-c", start + code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


ENGINE = """
from scenes import random_scene
import ptycupy
problem, state = random_scene()
ptycupy.forward(problem, state, [0], backend="cpu")
losses = {"gaussian": {}, "poisson": {}, "pacbed": {}, "sparsity": {}, "similarity": {}}
names = ("orthogonal_probe", "fixed_probe_intensity", "lateral_blur", "depth_blur", "amplitude_threshold",
         "positive_phase", "position_recentring")
settings = ptycupy.Settings(losses, learning_rates={"probe": 1e-3, "shifts": 1e-3},
                            constraints=[ptycupy.Constraint(name) for name in names])
engine = ptycupy.Engine(problem, state, settings, backend="cpu")
engine.run(1)
print(len(engine.history.total))
"""
OPTIONAL = ("pydantic", "optuna", "hdf5plugin", "h5py", "matplotlib", "yaml", "rich", "tifffile", "cupy")


@pytest.mark.parametrize("transforms", ["rocket_fft", "scipy"])
def test_the_engine_needs_numpy_and_one_backend_only(transforms):
    """Either of the two libraries that transform may be absent too."""
    assert in_a_process(ENGINE, [*OPTIONAL, transforms]) == "1\n"


def test_importing_ptycupy_imports_nothing_else():
    """Not even NumPy: names are imported when they are used."""
    code = "before = set(sys.modules)\nimport ptycupy\nprint(*{n.partition('.')[0] for n in set(sys.modules) - before})"
    assert set(in_a_process(code).split()) - set(sys.stdlib_module_names) == {"ptycupy"}


def test_importing_ptycupy_is_quick():
    code = "import time; t = time.process_time(); import ptycupy; print(time.process_time() - t)"
    assert float(in_a_process(code)) < 0.1
