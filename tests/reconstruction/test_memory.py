"""The estimate of what a pattern needs, against what is allocated."""

import gc
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from cuda_on_cpu.host_device import HostDevice
from scenes import random_scene

import ptycupy
from ptycupy.backends.cpu import CpuBackend
from ptycupy.backends.cuda import CudaBackend
from ptycupy.model.experiment import place
from ptycupy.model.parameters import upload
from ptycupy.planning import bytes_per_pattern

OPTIONAL = ("pattern_intensity", "background", "descan", "aberrations", "scan_affine")
COUNT, FEW, WINDOW = 12, 4, (32, 32)


def scene(*, variations=0, descan=False, dose=False, near_field=False, **sizes):
    distance = {"near_field_distance": 1.2e6, "pixel_size": 500.0, "wavelength": 1.0} if near_field else {}
    problem, state = random_scene(positions=COUNT, window=WINDOW, optional=True, **distance, **sizes)
    kept = {"descan": descan, "pattern_intensity": dose}
    state = state.replace(**{name: None for name in OPTIONAL if not kept.get(name)})
    generator = np.random.default_rng(0)
    waves = None if not variations else generator.normal(size=(variations, *WINDOW)).astype(complex)
    weights = None if not variations else generator.normal(size=(COUNT, variations))
    return replace(problem, aberrations=()), state.replace(probe_variations=waves, variation_weights=weights)


@pytest.fixture(params=["cpu_backend", "host_cuda_backend"])
def backend(request, kernel_folder):
    """The test's own: a host device logs its calls, and a log from earlier tests counts in full when it is moved."""
    return CpuBackend("float32") if request.param == "cpu_backend" else CudaBackend(HostDevice(kernel_folder))


def allocated(backend, problem, state, count, fields=None, losses=("gaussian",)):
    """Bytes at the peak of a gradient of that many patterns, for these fields or all that there are."""
    fields = fields or [name for name in vars(state) if getattr(state, name) is not None]
    backend.release()
    gc.collect()
    gc.disable()  # when it runs depends on all that came before, and what it frees differs
    tracemalloc.start()
    try:
        ptycupy.loss_and_gradients(problem, state, range(count), dict.fromkeys(losses, {}), backend, parameters=fields)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        gc.enable()


SCENES = {
    "one mode and slice": {"probe_modes": 1, "object_modes": 1, "slices": 1},
    "modes and slices": {"probe_modes": 4, "object_modes": 1, "slices": 4, "tilt_per_position": False},
    "object modes, a tilt each": {"probe_modes": 2, "object_modes": 2, "slices": 4},
    "many variations": {"probe_modes": 1, "object_modes": 1, "slices": 1, "variations": 6},
    "variations, descan and dose": {"probe_modes": 2, "slices": 2, "variations": 2, "descan": True, "dose": True},
    "descan": {"probe_modes": 4, "object_modes": 1, "slices": 1, "descan": True},
    "descan in the near field": {"probe_modes": 2, "object_modes": 1, "slices": 1, "descan": True, "near_field": True},
}


def per_pattern(backend, problem, state, losses):
    allocated(backend, problem, state, 1, losses=losses)  # what is loaded and planned once
    few, many = (allocated(backend, problem, state, count, losses=losses) for count in (FEW, COUNT))
    return (many - few) / (COUNT - FEW)


@pytest.mark.parametrize("name", SCENES)
def test_the_estimate_covers_what_is_allocated_and_not_much_more(backend, name):
    problem, state = scene(**SCENES[name])
    measured, alone = (
        per_pattern(backend, problem, state, losses) for losses in (("gaussian", "poisson"), ("gaussian",))
    )
    parameters = upload(backend, state)
    fields = [field for field, _ in parameters.items()]
    estimate = bytes_per_pattern(backend, parameters, place(backend, problem, parameters), fields)
    assert measured <= estimate <= 1.5 * measured
    assert alone <= estimate  # one term may need less: its patterns are compared on their way


LATERAL = ["object_amplitude", "object_phase", "probe", "shifts"]


@pytest.mark.parametrize(
    ("names", "gaps"), [(LATERAL, 0), ([*LATERAL, "tilts", "slice_thickness"], 5)], ids=["lateral", "gaps too"]
)
def test_on_the_cpu_waves_stay_with_their_thread(cpu_backend, names, gaps):
    """A pattern goes to the detector and back in one go: what it leaves are gradients, one for each probe mode, slice
    and transfer function, and not its modes in every slice."""
    backend, modes, slices, window = cpu_backend("float32"), 8, 6, (64, 64)
    sizes = {"probe_modes": modes, "object_modes": 1, "slices": slices, "tilt_per_position": False}
    problem, state = random_scene(positions=48, window=window, **sizes)
    allocated(backend, problem, state, 1, names)
    per_pattern = (allocated(backend, problem, state, 48, names) - allocated(backend, problem, state, 16, names)) / 32
    wave = np.prod(window) * backend.complex.itemsize
    assert per_pattern < 1.2 * (modes + slices + gaps) * wave < 0.6 * modes * slices * wave


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ({"gaussian": {}, "sparsity": {}}, "plenty"),
        ({"gaussian": {}, "poisson": {}}, "half of what is free"),  # parts of such a batch go forward twice
    ],
)
def test_a_gpu_gets_no_more_at_once_than_keeps_it_busy(kernel_folder, monkeypatch, losses, expected):
    monkeypatch.setattr(HostDevice, "free_bytes", lambda self: 64 << 30)
    problem, state = random_scene(positions=3, window=(64, 64), probe_modes=3, object_modes=2)
    settings = ptycupy.Settings(losses, learning_rates={"probe": 1e-3})
    engine = ptycupy.Engine(problem, state, settings, CudaBackend(HostDevice(kernel_folder)))
    needed = bytes_per_pattern(engine.backend, engine.parameters, engine.experiment, ["probe"])
    sizes = {"plenty": (1 << 30) // needed, "half of what is free": (32 << 30) // needed}
    assert engine.sub_batch == sizes[expected]
