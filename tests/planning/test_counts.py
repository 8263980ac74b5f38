"""The counting backends against the real ones: the same transforms, and the same scratch memory."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from scenes import random_scene

from ptycupy.backends import composed
from ptycupy.backends.cuda import wave_steps
from ptycupy.backends.interface import Backend
from ptycupy.model.experiment import place
from ptycupy.model.losses import make_terms
from ptycupy.model.objective import Objective
from ptycupy.model.parameters import upload
from ptycupy.planning import CountingCpu, CountingCuda, How, counting, shaped, twin_of
from ptycupy.planning.chip import USUAL

OPTIONAL = ("pattern_intensity", "background", "descan", "aberrations", "scan_affine")
VARYING = ("probe_variations", "variation_weights")
LOSSES = {
    "gaussian": {"gaussian": {}},
    "sparsity": {"gaussian": {}, "sparsity": {}},
    "mixed": {"poisson": {}, "pacbed": {}, "similarity": {}},
}
SCENES = {
    "one slice, one mode": {"slices": 1, "probe_modes": 1, "object_modes": 1, "losses": "gaussian"},
    "multislice": {"slices": 4, "probe_modes": 3, "object_modes": 1, "losses": "sparsity", "refined": ("probe",)},
    "object modes": {"slices": 3, "object_modes": 2, "losses": "mixed", "tilt_per_position": False},
    "everything, a tilt each": {"slices": 3, "losses": "sparsity", "optional": True},
    "transforms of our own": {
        "slices": 3,
        "window": (64, 64),
        "object_modes": 1,
        "losses": "gaussian",
        "tilt_per_position": False,
    },
    "transforms of our own, a tilt each": {"slices": 2, "window": (64, 64), "object_modes": 1, "losses": "gaussian"},
    "nothing but the specimen and the probe": {
        "slices": 3,
        "window": (64, 64),
        "object_modes": 1,
        "losses": "gaussian",
        "tilt_per_position": False,
        "refined": ("probe", "shifts"),
    },
    "larger detector": {"slices": 2, "window": (18, 16), "detector": (12, 12), "losses": "mixed"},
}
OBJECT = ("object_amplitude", "object_phase")
METHODS = [name for name in dir(Backend) if not name.startswith("_")]


def run(backend, problem, state, losses, refined, sub_batch, like=None):
    """One batch of all patterns on a backend; on a counting one, with the shapes of arrays on `like`."""
    home = backend if like is None else like
    parameters = upload(home, state)
    experiment = place(home, problem, parameters)
    if like is not None:
        parameters, experiment = shaped(parameters), shaped(experiment)
    gradients = parameters.zeros_like(backend, refined)
    terms = make_terms(losses)
    indices = np.arange(experiment.positions, dtype=np.int32)
    values = backend.zeros((len(terms),), np.float64)
    Objective(backend, experiment, terms, sub_batch).accumulate(parameters, gradients, indices, values)


def scene(name):
    """Problem, State, losses and the fields that are refined."""
    options = dict(SCENES[name])
    losses, refined = LOSSES[options.pop("losses")], options.pop("refined", None)
    problem, state = random_scene(positions=7, **options)
    fields = [field for field, _ in state.items()]
    return problem, state, losses, [*OBJECT, *refined] if refined else fields


@pytest.fixture
def transforms(monkeypatch):
    """The 2-D transforms of one wave that the real backends make, counted where they are made."""
    made = []
    from cuda_on_cpu.host_device import HostPlan

    for name in ("forward", "inverse"):
        original = getattr(HostPlan, name)

        def counted(plan, waves, original=original):
            made.append(math.prod(waves.shape[:-2]))
            original(plan, waves)

        monkeypatch.setattr(HostPlan, name, counted)
    return made


@pytest.mark.parametrize("sub_batch", [None, 3])
@pytest.mark.parametrize("name", SCENES)
def test_the_cuda_backend_transforms_and_allocates_what_is_counted(kernel_folder, transforms, name, sub_batch):
    from cuda_on_cpu.host_device import HostDevice

    from ptycupy.backends.cuda import CudaBackend

    real = CudaBackend(HostDevice(kernel_folder), "float32")
    counted = counting(real.name)
    given = scene(name)
    run(real, *given, sub_batch)
    run(counted, *given, sub_batch, like=real)
    assert counted.ledger.total.transforms == sum(transforms)
    assert counted.arena_bytes() == pytest.approx(real._arena.idle_bytes(), rel=0.1)


OWN = [name for name in SCENES if SCENES[name].get("window") == (64, 64)]
WAYS = [(name, "cufft", False) for name in SCENES] + [
    (name, fft, deterministic) for name in OWN for fft in ("steps", "whole") for deterministic in (False, True)
]


@pytest.mark.parametrize(("name", "fft", "deterministic"), WAYS)
def test_the_cuda_backend_queues_and_allocates_what_is_counted(kernel_folder, monkeypatch, name, fft, deterministic):
    """Kernels, transforms and copies op by op, whichever way waves take through the slices."""
    from cuda_on_cpu.host_device import HostDevice

    from ptycupy.backends.cuda import CudaBackend, whole_waves

    device = HostDevice(kernel_folder, shared_memory=USUAL.shared_memory)
    real = CudaBackend(device, "float32", fft=fft, deterministic=deterministic)
    counted, queued = twin_of(real), Counter()
    within(monkeypatch, real, device.calls, queued)
    given = scene(name)
    run(real, *given, 3)
    run(counted, *given, 3, like=real)
    elsewhere = {"zeros", "copy"}  # of tables and patterns, which are there when counting begins
    expected = {op: number for op, number in queued.items() if number and op not in elsewhere}
    found = {op: cost.queued for op, cost in counted.ledger.costs.items() if op not in elsewhere}
    assert found == expected
    assert counted.arena_bytes() == pytest.approx(real._arena.idle_bytes(), rel=0.1)
    ways = {"steps": wave_steps, "whole": whole_waves}
    kernels = {"steps": "transmit_rows_forward", "whole": "multislice_forward"}
    keep = not {"tilts", "slice_thickness"}.isdisjoint(given[3])
    chosen = counted._chains.choose((7, 1, 2, 64, 64), 1, keep)
    for way, kernel in kernels.items():
        assert (kernel in device.launches) == (chosen is ways[way])


def within(monkeypatch, backend, calls, queued):
    """Adds what every method of a backend queues, if no other one called it, to `queued`."""
    inside = []

    def counted(name, method):
        def call(*arguments, **keywords):
            if inside:
                return method(*arguments, **keywords)
            inside.append(name)
            before = len(calls)
            try:
                return method(*arguments, **keywords)
            finally:
                inside.clear()
                queued[name] += sum(call not in ("alloc", "upload", "download") for call in calls[before:])

        return call

    for name in METHODS:
        if name != "arena":
            monkeypatch.setattr(backend, name, counted(name, getattr(backend, name)))


def test_a_twin_leaves_the_log_to_the_backend(caplog):
    with caplog.at_level("INFO", "ptycupy.backends"):
        assert counting("cuda", How(fft="own"))._chains.choose((2, 1, 1, 10, 10), 1, False) is composed
    assert not caplog.records


@pytest.mark.parametrize("fft", ["steps", "whole"])
def test_transforms_of_our_own_are_as_many_and_move_less(fft):
    problem, state, losses, refined = scene("nothing but the specimen and the probe")
    totals = []
    for way in ("cufft", fft):
        counted = counting("cuda", How(fft=way))
        run(counted, problem, state, losses, refined, 3)
        totals.append(counted.ledger.total)
    assert totals[0].transforms == totals[1].transforms > 0
    assert totals[1].bytes < 0.8 * totals[0].bytes
    assert totals[1].launches < totals[0].launches


@pytest.mark.parametrize("sub_batch", [None, 3])
def test_a_tape_in_half_precision_allocates_what_is_counted(kernel_folder, sub_batch):
    from cuda_on_cpu.host_device import HostDevice

    from ptycupy.backends.cuda import CudaBackend

    real = CudaBackend(HostDevice(kernel_folder), "float32", tape="half")
    counted, full = counting(real.name, How(tape="half")), counting(real.name)
    sizes = {"positions": 6, "slices": 12, "probe_modes": 4, "object_modes": 1, "window": (40, 40)}
    problem, state = random_scene(tilt_per_position=False, **sizes)
    given = problem, state, LOSSES["gaussian"], [*OBJECT, "probe"]
    run(real, *given, sub_batch)
    for backend in (counted, full):
        run(backend, *given, sub_batch, like=real)
    assert counted.arena_bytes() == pytest.approx(real._arena.idle_bytes(), rel=0.1)
    stack = (sub_batch or 6) * 4 * 40 * 40 * 8
    # 11 stacks become 11 halves, and one that holds what enters the current slice.
    assert full.arena_bytes() - counted.arena_bytes() == pytest.approx(4.5 * stack, rel=0.02)


@pytest.mark.parametrize("sub_batch", [None, 3])
@pytest.mark.parametrize("name", SCENES)
def test_the_cpu_backend_allocates_what_is_counted(name, sub_batch):
    from ptycupy.backends.cpu import CpuBackend

    real, counted = CpuBackend("float32"), counting("cpu")
    given = scene(name)
    run(real, *given, sub_batch)
    run(counted, *given, sub_batch, like=real)
    blocks = sum(block.nbytes for kind in real._arena._blocks.values() for block in kind)
    assert counted.arena_bytes() == pytest.approx(blocks, rel=0.1)


@pytest.mark.parametrize("name", SCENES)
def test_both_backends_transform_the_same(cpu_backend, name):
    given, home, totals = scene(name), cpu_backend("float32"), []
    for kind in ("cpu", "cuda"):
        counted = counting(kind)
        run(counted, *given, 3, like=home)
        totals.append(counted.ledger.total)
    assert totals[0].transforms == totals[1].transforms
    assert totals[0].transform_flops == pytest.approx(totals[1].transform_flops)


@pytest.mark.parametrize("kind", [CountingCpu, CountingCuda])
def test_every_method_of_a_backend_is_counted(kind):
    made = kind()
    assert [name for name in METHODS if not hasattr(made, name)] == []


def test_shapes_alone_have_no_values():
    backend = counting("cpu")
    with pytest.raises(TypeError, match="has no values"):
        np.asarray(backend.empty((2, 3), "float32"))


def test_named_tuples_keep_their_names():
    step = wave_steps.Kept(entries=np.zeros((2, 3)), spectra=[np.zeros(4)])
    shapes = shaped(step)
    assert isinstance(shapes, wave_steps.Kept)
    assert (shapes.entries.shape, shapes.spectra[0].shape) == ((2, 3), (4,))


def test_memory_is_given_back_when_the_last_view_is_gone():
    backend = counting("cpu")
    array = backend.zeros((4, 5), "float64")
    view = array[1:].reshape(15)
    del array
    assert backend.ledger.live == 160
    del view
    assert backend.ledger.live == 0
    assert backend.ledger.peak == 160


def test_the_shapes_of_an_experiment_leave_the_experiment_alone():
    from ptycupy.backends.cpu import CpuBackend

    backend = CpuBackend("float32")
    problem, state = random_scene()
    experiment = place(backend, problem, upload(backend, state))
    shapes = shaped(experiment)
    assert shapes._filters is not experiment._filters
    assert shapes.base.shape == experiment.base.shape
