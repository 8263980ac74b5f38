"""Arrays of every kind come into the public functions, and the same kind goes out."""

from __future__ import annotations

import pickle
import sys
from dataclasses import fields, replace
from types import ModuleType

import numpy as np
import pytest
from scenes import random_scene

import ptycupy
from ptycupy import Engine, Settings, State
from ptycupy.data.source import ArraySource
from ptycupy.errors import DataError

FIELDS = ("object_amplitude", "object_phase", "probe", "shifts", "tilts", "slice_thickness")
GAUSSIAN = {"gaussian": {}}
RATES = dict.fromkeys(FIELDS, 1e-3)


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
