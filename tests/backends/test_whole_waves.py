"""Whole waves in shared memory (backend.fft whole): all slices in one launch, alone and with the way from the probe and
to the detector, equal the composed ops."""

from __future__ import annotations

import ctypes
import itertools
import logging
import re
from pathlib import Path

import numpy as np
import pytest
from cuda_on_cpu import wave_cases
from cuda_on_cpu.host_device import HostDevice, build, load
from cuda_on_cpu.scene import Outputs, Scene
from reference import ReferenceBackend
from scenes import random_scene

from ptycupy.backends.cuda import CudaBackend, sources, whole_waves
from ptycupy.backends.interface import Backend
from ptycupy.model.experiment import place
from ptycupy.model.losses import make_terms
from ptycupy.model.objective import Objective
from ptycupy.model.parameters import upload

LAUNCHES = {"multislice_forward", "multislice_backward"}
STEPS = {"transmit_rows_forward", "transmit_rows_backward", "transform_rows", "transform_columns", "transform_shifted"}
KEPT = {"propagate_columns_forward_kept", "propagate_columns_backward_kept"}  # the transfer function's gradient
ENDS = {"intensity_forward", "shift_backward_probe", "add", "shift_backward_shifts", "reduce_add"}
LIMITS = {"V100": 98304, "T4": 65536, "A100": 166912, "RTX 4090": 101376, "H100": 232448}  # shared memory of a block
SMALL = {"window": (64, 64), "canvas": (70, 67)}
LARGE = {"window": (128, 128), "canvas": (131, 129), "o": 1}
SCENES = {
    "one mode": Scene(n=1, p=1, o=1, z=3, tilts=False, **SMALL),
    "3 modes, a transfer per pattern": Scene(n=2, p=3, o=2, z=2, **SMALL),
    "5 modes, two states": Scene(n=1, p=5, o=2, z=2, tilts=False, **SMALL),
    "one slice": Scene(n=2, p=2, o=2, z=1, **SMALL),
    "4 slices": Scene(n=1, p=4, o=1, z=4, tilts=False, **SMALL),
    "128": Scene(n=1, p=2, z=2, tilts=False, **LARGE),
}


def host(folder: Path, schedule: int = 0, texts: dict[str, str] | None = None, card: str = "H100") -> HostDevice:
    return HostDevice(folder, schedule, texts, LIMITS[card])


def both(backend: Backend, scene: Scene) -> Outputs:
    return wave_cases.multislice(backend, scene) | wave_cases.diffraction(backend, scene)


def worst(outputs: Outputs, expected: Outputs) -> dict[str, float]:
    """The largest deviation of waves and intensities, of gradients, and of the shifts' gradient, which is a sum that
    cancels, in units of each array's largest number."""
    found = {"values": 0.0, "grad": 0.0, "shifts": 0.0}
    for name, values in expected.items():
        kind = "shifts" if name.startswith("grad_shifts") else "grad" if name.startswith("grad") else "values"
        deviation = np.abs(outputs[name] - values).max() / np.abs(values).max()
        found[kind] = float(np.maximum(found[kind], deviation))  # or NaN
    return found


def assert_equal(outputs: Outputs, expected: Outputs, tolerance: float = 2e-6) -> None:
    """Rounding: 6e-7 was seen, and 1.1e-5 of the shifts."""
    found = worst(outputs, expected)
    assert found["values"] < tolerance, found
    assert found["grad"] < tolerance, found
    assert found["shifts"] < 20 * tolerance, found


@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES)
def test_whole_waves_equal_the_composed_ops(kernel_folder: Path, scene: Scene) -> None:
    composed = both(CudaBackend(HostDevice(kernel_folder), fft="cufft"), scene)
    for schedule in range(3):
        device = host(kernel_folder, schedule)
        outputs = both(CudaBackend(device, fft="whole"), scene)
        gaps = KEPT if scene.z > 1 else set()
        others = {"intensity_backward", "propagate_backward_parts"}
        assert set(device.launches) - others == LAUNCHES | ENDS | STEPS | gaps
        assert_equal(outputs, composed)


QUICK = {(64, 1, 4), (64, 2, 1), (64, 3, 3), (64, 4, 2), (64, 5, 4), (128, 1, 3), (128, 3, 1), (128, 2, 4)}
EVERY = [
    pytest.param(*sizes, marks=() if sizes in QUICK else pytest.mark.slow)
    for sizes in itertools.product((64, 128), range(1, 6), range(1, 5))
]


@pytest.mark.parametrize(("side", "modes", "slices"), EVERY)
def test_every_number_of_modes_and_slices(kernel_folder: Path, side: int, modes: int, slices: int) -> None:
    scene = Scene(n=1, p=modes, o=1, z=slices, window=(side, side), canvas=(side + 3, side + 1), tilts=modes % 2 == 0)
    whole = CudaBackend(host(kernel_folder, (modes + slices) % 3), fft="whole")
    steps = CudaBackend(HostDevice(kernel_folder), fft="steps")
    assert_equal(wave_cases.multislice(whole, scene), wave_cases.multislice(steps, scene))


@pytest.mark.parametrize("deterministic", [False, True])
def test_agrees_with_the_reference_in_float64(kernel_folder: Path, deterministic: bool) -> None:
    """64 x 64 has room in double precision."""
    scene, device = SCENES["3 modes, a transfer per pattern"], host(kernel_folder, 2)
    outputs = both(CudaBackend(device, "float64", "whole", deterministic), scene)
    assert set(device.launches) >= LAUNCHES
    assert_equal(outputs, both(ReferenceBackend(), scene), 1e-12)


@pytest.mark.parametrize("multiprocessors", [1, 100], ids=["modes abreast", "a mode per block"])
def test_deterministic_waves_repeat_bit_by_bit(kernel_folder: Path, multiprocessors: int) -> None:
    found = []
    for schedule in range(3):
        device = host(kernel_folder, schedule)
        device.multiprocessors = multiprocessors
        backend = CudaBackend(device, fft="whole", deterministic=True)
        outputs = both(backend, SCENES["5 modes, two states"])
        found.append([values.tobytes() for values in outputs.values()])
    assert found[0] == found[1] == found[2]


def test_gradients_of_a_whole_model_are_those_with_cufft(kernel_folder: Path) -> None:
    """In one batch of 5 and in sub-batches of 2, 2 and 1 patterns."""
    problem, state = random_scene(positions=6, window=(64, 64), tilt_per_position=False)
    names = ("object_amplitude", "object_phase", "probe", "shifts")
    found = {}
    for fft, sub_batch in (("cufft", None), ("whole", None), ("whole", 2)):
        device = host(kernel_folder)
        backend = CudaBackend(device, fft=fft)
        parameters = upload(backend, state)
        experiment = place(backend, problem, parameters)
        gradients, values = parameters.zeros_like(backend, names), backend.zeros((1,), np.float64)
        objective = Objective(backend, experiment, make_terms({"gaussian": {}}), sub_batch)
        objective.accumulate(parameters, gradients, np.array([5, 0, 2, 1, 4], np.int32), values)
        assert device.launches.count("multislice_forward") == {"cufft": 0, "whole": 1 if sub_batch is None else 3}[fft]
        assert device.launches.count("multislice_backward") == device.launches.count("multislice_forward")
        found[fft, sub_batch] = float(values[0]), dict(gradients.items())
    expected_loss, expected = found.pop(("cufft", None))
    for loss, gradients in found.values():
        assert loss == pytest.approx(expected_loss, rel=1e-5)
        for name in names:
            deviation = np.abs(gradients[name] - expected[name]).max() / np.abs(expected[name]).max()
            assert deviation < 1e-4, name


BARRIERS = {
    "of the turns": ("wave.cuh", "        __syncthreads();\n"),
    "before the exchange is written": ("wave.cuh", "        __syncwarp();\n#pragma unroll\n        for (int k"),
    "before the exchange is read": ("wave.cuh", "        __syncwarp();\n        int taken"),
    "before the line is stored": ("wave.cuh", "        __syncwarp();  // others of the line may still read it\n"),
    "forward, before columns": ("multislice.cu", "        if (s + 1 == slices) break;\n        __syncthreads();\n"),
    "forward, after columns": ("multislice.cu", "PIXELS, scale);\n        __syncthreads();\n"),
    "behind the probe": ("multislice.cu", "2 * pattern, scale);\n        __syncthreads();\n"),
    "before the detector": ("multislice.cu", "    if (!spectrum) return;\n    __syncthreads();\n"),
    "behind the detector": ("multislice.cu", "weight);\n                __syncthreads();\n"),
    "before the probe": ("multislice.cu", "if (!grad_intensity) continue;\n            __syncthreads();\n"),
    "backward, before columns": ("multislice.cu", "if (s == 0) break;\n                __syncthreads();\n"),
    "backward, after columns": ("multislice.cu", "PIXELS, scale);\n                __syncthreads();\n"),
}


QUICK_BARRIERS = {
    "before the exchange is read",
    "backward, after columns",
    "before the probe",
}


@pytest.mark.parametrize(
    "barrier", [pytest.param(b, marks=() if b in QUICK_BARRIERS else pytest.mark.slow) for b in BARRIERS]
)
def test_a_missing_barrier_is_seen(kernel_folder: Path, barrier: str) -> None:
    file, whole = BARRIERS[barrier]
    text = sources.read(file)
    assert text.count(whole) == 1
    missing = re.sub(r"__sync\w+\(\);", "", whole)
    texts = {"multislice": with_header(text.replace(whole, missing), file)}
    scene = Scene(n=1, p=2, o=2, z=2, **SMALL)
    expected = both(CudaBackend(host(kernel_folder), fft="whole"), scene)

    def wrong(schedule: int) -> bool:
        outputs = both(CudaBackend(host(kernel_folder, schedule, texts), fft="whole"), scene)
        return not np.max([*worst(outputs, expected).values()]) < 1e-4  # also NaN

    assert any(map(wrong, range(3)))


def with_header(changed: str, file: str) -> str:
    """multislice.cu with one changed file; of a header under other names: the harness has included it before."""
    if file == "multislice.cu":
        return changed
    lines = [line for line in changed.splitlines() if not line.startswith(("#pragma once", "#include"))]
    text = sources.read("multislice.cu").replace('#include "wave.cuh"', "\n".join(lines))
    return re.sub(r"\b(fresh|WaveLines?)\b", r"other_\1", text)


WRITTEN_DOWN = """
#define ACCESSES 4096
extern "C" {
__attribute__((visibility("default"))) int counts[512], banks[512][ACCESSES];
}
DEVICE int seen(int i) { banks[threadIdx.x][counts[threadIdx.x]++] = i % 16; return i; }
"""


@pytest.mark.parametrize("side", [64, 128])
def test_no_two_threads_that_are_served_at_once_meet_in_a_bank(kernel_folder: Path, side: int) -> None:
    """Of 8-byte numbers 16 threads are served at once; their accesses to the wave are in 16 banks of 8 bytes."""
    header, count = re.subn(r"wave\[(at\([^]]*\))\]", r"wave[seen(\1)]", sources.read("wave.cuh"))
    assert count == 4  # every access there is: in load, store and twice in transform
    text = with_header(WRITTEN_DOWN + header, "wave.cuh")
    scene = Scene(n=1, p=1, o=1, z=2, window=(side, side), canvas=(side, side), tilts=False)
    b = CudaBackend(host(kernel_folder, texts={"multislice": text}), fft="whole")
    transmission, transfer = (scene.draw_complex(b, name, 1, z, side, side) for name, z in (("object", 2), ("gap", 1)))
    waves = scene.draw_complex(b, "waves", 1, 1, 1, side, side)
    b.multislice_forward(waves, transmission, transfer[None], scene.corners(b), scene.indices(b), False)
    library = load(build({"multislice": text}, ("REAL=float", f"LENGTH={side}"), kernel_folder))
    counts = np.ctypeslib.as_array((ctypes.c_int * 512).in_dll(library, "counts"))[: 4 * side]
    banks = np.ctypeslib.as_array((ctypes.c_int * 4096 * 512).in_dll(library, "banks"))[: 4 * side]
    # In two rounds: a store of rows, load and store of columns, a load of rows, four transforms that write and read.
    assert set(counts) == {2 * (4 + 4 * 2) * side // 8}
    together = np.sort(banks[:, : counts[0]].reshape(side // 4, 16, -1), axis=1)
    assert (together == np.arange(16)[:, None]).all()


@pytest.mark.parametrize(
    ("card", "dtype", "sides"),
    [
        ("V100", "float32", {64}),
        ("T4", "float32", {64}),
        ("RTX 4090", "float32", {64}),
        ("A100", "float32", {64, 128}),
        ("H100", "float32", {64, 128}),
        ("RTX 4090", "float64", {64}),
        ("H100", "float64", {64}),
    ],
)
def test_cards_with_room(kernel_folder: Path, card: str, dtype: str, sides: set[int]) -> None:
    device, dtype = host(kernel_folder, card=card), np.result_type(dtype, np.complex64)
    assert {side for side in (32, 64, 128, 256) if whole_waves.fits(device, (side, side), dtype)} == sides
    assert not whole_waves.fits(device, (64, 128), dtype)
    for side in sides:
        abreast = whole_waves.modes_abreast(device, side, 1000, 12, dtype)
        assert abreast * side * side * dtype.itemsize + side * dtype.itemsize <= device.shared_memory


def test_own_takes_whole_waves_where_they_have_room_and_keep_the_card_busy(
    kernel_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    device = host(kernel_folder, card="RTX 4090")
    device.multiprocessors = 2
    backend = CudaBackend(device, fft="own")
    with caplog.at_level(logging.INFO, "ptycupy.backends"):
        for side, waves, whole in ((64, 4, True), (64, 2, False), (64, 7, True), (128, 3, False), (128, 3, False)):
            device.launches.clear()
            window, canvas = (side, side), (side + 1, side + 2)
            wave_cases.multislice(backend, Scene(n=1, p=waves, o=1, z=2, window=window, canvas=canvas, tilts=False))
            assert (set(device.launches) >= LAUNCHES) == whole
            assert set(device.launches) >= KEPT
    assert [record.getMessage() for record in caplog.records] == [
        "backend.fft own: windows of 64 x 64 px go in steps while tilts or thickness are refined: "
        "whole ones keep no spectra",
        "backend.fft own: windows of 128 x 128 px go in steps: "
        "101376 bytes of shared memory are no room for whole ones",
    ]


def test_small_batches_are_left_to_the_steps() -> None:
    """H200: 132 multiprocessors with one wave of 128 x 128 each."""
    device = HostDevice(Path(), shared_memory=LIMITS["H100"])
    device.multiprocessors = 132
    assert [n for n in range(1, 40) if whole_waves.wins(device, 128, 12 * n, 12 * n)] == [
        *range(8, 12),
        *range(16, 23),
        *range(24, 40),
    ]
    # In a fixed order a pattern's modes follow each other.
    assert [n for n in range(1, 110) if whole_waves.wins(device, 128, 12 * n, n)] == [*range(93, 110)]


def test_modes_go_abreast_where_every_multiprocessor_has_its_blocks() -> None:
    device = HostDevice(Path(), shared_memory=LIMITS["H100"])
    device.multiprocessors = 132
    dtype = np.dtype(np.complex64)
    found = [whole_waves.modes_abreast(device, 64, patterns, 12, dtype) for patterns in (8, 32, 44, 66, 256)]
    assert found == [1, 1, 2, 3, 3]
    assert whole_waves.modes_abreast(device, 128, 256, 12, dtype) == 1
