"""Our own transforms (backend.fft own): the multislice chain in steps along one axis equals the composed ops."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from cuda_on_cpu import wave_cases
from cuda_on_cpu.host_device import HostDevice
from cuda_on_cpu.scene import Outputs, Scene
from reference import ReferenceBackend
from scenes import random_scene

import ptycupy
from ptycupy.backends.cuda import CudaBackend, sources
from ptycupy.backends.cuda import wave_steps as steps
from ptycupy.backends.interface import Backend

STEPS = {
    "transmit_rows_forward",
    "transmit_rows_backward",
    "propagate_columns_forward",
    "propagate_columns_backward",
}
KEPT = {"propagate_columns_forward_kept", "propagate_columns_backward_kept"}  # for the transfer function's gradient
PARTS = {"propagate_backward_parts"}  # of that, where more than one block has some
ENDS = {"transform_rows", "transform_columns", "transform_shifted"}
OTHERS = {
    "intensity_forward",
    "intensity_backward",
    "shift_backward_probe",
    "shift_backward_shifts",
    "add",
    "reduce_add",
}
PROPAGATION = {"propagate_columns_forward", "propagate_columns_backward"} | KEPT | PARTS  # of one slice there is none
SMALL = {"window": (64, 64), "canvas": (70, 67)}
SCENES = {
    "one mode": Scene(n=1, p=1, o=1, z=3, tilts=False, **SMALL),
    "3 modes, a transfer per pattern": Scene(n=2, p=3, o=2, z=2, **SMALL),
    "4 modes, two states": Scene(n=1, p=4, o=2, z=2, tilts=False, **SMALL),
    "12 modes": Scene(n=1, p=12, o=1, z=2, tilts=False, **SMALL),
    "one slice": Scene(n=2, p=2, o=2, z=1, **SMALL),
    "6 slices": Scene(n=1, p=2, o=1, z=6, tilts=False, **SMALL),
    "128": Scene(n=1, p=3, o=1, z=2, window=(128, 128), canvas=(131, 129), tilts=False),
    "256": Scene(n=1, p=1, o=1, z=2, window=(256, 256), canvas=(257, 259), tilts=False),
    "wide": Scene(n=1, p=2, o=1, z=2, window=(64, 512), canvas=(66, 515), tilts=False),
    "tall": Scene(n=1, p=2, o=1, z=2, window=(512, 128), canvas=(513, 131), tilts=False),
}


def assert_agree(outputs: Outputs, expected: Outputs, exits: float, gradients: float) -> None:
    for name, values in expected.items():
        atol = (exits if name.startswith("exits") else gradients) * np.abs(values).max()
        np.testing.assert_allclose(outputs[name], values, rtol=0, atol=atol, err_msg=name)


@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES)
def test_every_size_equals_the_composed_ops(kernel_folder: Path, scene: Scene) -> None:
    """Under each order of threads in turn for small windows; the others differ in LENGTH alone."""
    composed = wave_cases.multislice(CudaBackend(HostDevice(kernel_folder), fft="cufft"), scene)
    for schedule in range(3) if scene.window == (64, 64) and scene.p < 4 else (1,):
        device = HostDevice(kernel_folder, schedule)
        outputs = wave_cases.multislice(CudaBackend(device, fft="own"), scene)
        assert set(device.launches) - PARTS == (STEPS | KEPT if scene.z > 1 else STEPS - PROPAGATION)
        assert_agree(outputs, composed, 1e-5, 1e-4)


@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES)
def test_the_way_from_probe_to_detector_equals_the_composed_ops(kernel_folder: Path, scene: Scene) -> None:
    """With no transform but our own: of the probe, at both ends of the chain and in it."""
    expected = wave_cases.diffraction(CudaBackend(HostDevice(kernel_folder), fft="cufft"), scene)
    for schedule in range(3) if scene.window == (64, 64) and scene.p < 4 else (2,):
        device = HostDevice(kernel_folder, schedule)
        outputs = wave_cases.diffraction(CudaBackend(device, fft="steps"), scene)
        assert ENDS | STEPS - PROPAGATION <= set(device.launches) <= ENDS | STEPS | PROPAGATION | OTHERS
        assert not {"fft", "inverse fft"} & set(device.calls)
        for name, values in expected.items():
            gradient = name.startswith("grad")
            atol = (1e-4 if gradient else 1e-5) * np.abs(values).max()
            np.testing.assert_allclose(outputs[name], values, rtol=0, atol=atol, err_msg=name)


@pytest.mark.parametrize("name", ["3 modes, a transfer per pattern", "one slice"])
def test_both_ends_agree_with_the_reference_in_float64(kernel_folder: Path, name: str) -> None:
    backend = CudaBackend(HostDevice(kernel_folder), "float64", "steps")
    expected = wave_cases.diffraction(ReferenceBackend(), SCENES[name])
    outputs = wave_cases.diffraction(backend, SCENES[name])
    for key, values in expected.items():
        np.testing.assert_allclose(outputs[key], values, rtol=0, atol=1e-11 * np.abs(values).max(), err_msg=key)


@pytest.mark.parametrize("deterministic", [False, True])
def test_agrees_with_the_reference_in_float64(kernel_folder: Path, deterministic: bool) -> None:
    scene = SCENES["3 modes, a transfer per pattern"]
    backend = CudaBackend(HostDevice(kernel_folder, 2), "float64", "own", deterministic)
    expected = wave_cases.multislice(ReferenceBackend(), scene)
    assert_agree(wave_cases.multislice(backend, scene), expected, 1e-12, 1e-12)


def test_deterministic_steps_repeat_bit_by_bit(kernel_folder: Path) -> None:
    found = []
    for schedule in range(3):
        backend = CudaBackend(HostDevice(kernel_folder, schedule), fft="own", deterministic=True)
        outputs = wave_cases.multislice(backend, SCENES["4 modes, two states"])
        found.append([values.tobytes() for values in outputs.values()])
    assert found[0] == found[1] == found[2]


def test_the_gradient_of_the_transfer_function_repeats_bit_by_bit(kernel_folder: Path) -> None:
    """Without `deterministic` too: sums of blocks are added in order."""
    for scene in (SCENES["3 modes, a transfer per pattern"], Scene(n=3, p=2, o=1, z=2, tilts=False, **SMALL)):
        found = []
        for schedule in range(3):
            device = HostDevice(kernel_folder, schedule)
            outputs = wave_cases.multislice(CudaBackend(device, fft="steps"), scene)
            assert set(device.launches) >= KEPT | PARTS
            found.append([values.tobytes() for name, values in outputs.items() if name.startswith("grad_transfer")])
        assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("tilts", [True, False], ids=["a transfer per pattern", "one for all"])
def test_sums_are_the_same_however_blocks_share_the_waves(
    kernel_folder: Path, monkeypatch: pytest.MonkeyPatch, tilts: bool
) -> None:
    """One block for all waves of a transfer function adds to its gradient itself, twice where a gap is used twice."""
    scene = Scene(n=2, p=3, o=1, z=3, tilts=tilts, **SMALL)
    expected = wave_cases.multislice(ReferenceBackend(), scene)
    for enough, parts in ((1, False), (8, True), (512, True)):
        monkeypatch.setattr(steps, "ENOUGH_BLOCKS", enough)
        device = HostDevice(kernel_folder, 1)
        outputs = wave_cases.multislice(CudaBackend(device, "float64", "steps"), scene)
        assert (set(device.launches) >= PARTS) == parts
        assert_agree(outputs, expected, 1e-12, 1e-12)


@pytest.mark.parametrize("field", ["tilts", "slice_thickness"])
@pytest.mark.parametrize("tilt_per_position", [True, False])
def test_gradients_are_those_of_central_differences(kernel_folder: Path, tilt_per_position: bool, field: str) -> None:
    problem, state = random_scene(
        positions=2, window=(64, 64), object_modes=1, slices=3, tilt_per_position=tilt_per_position
    )
    device = HostDevice(kernel_folder, shared_memory=65536)  # a T4's: of detect_columns in double precision
    backend, losses = CudaBackend(device, "float64", "steps"), {"gaussian": {}}
    value = np.asarray(getattr(state, field))
    direction = np.random.default_rng(1).standard_normal(value.shape)

    def loss(distance: float) -> float:
        moved = state.replace(**{field: value + distance * direction})
        return ptycupy.loss_and_gradients(problem, moved, [0, 1], losses, backend, parameters=())[0].total

    gradients = ptycupy.loss_and_gradients(problem, state, [0, 1], losses, backend, parameters=(field,))[1]
    assert set(device.launches) >= KEPT
    step = 1e-3
    numerical = (8 * (loss(step) - loss(-step)) - (loss(2 * step) - loss(-2 * step))) / (12 * step)
    assert np.vdot(getattr(gradients, field), direction) == pytest.approx(numerical, rel=1e-6)


def test_a_tape_of_halves_is_full_where_the_transfer_function_has_a_gradient(kernel_folder: Path) -> None:
    scene = SCENES["6 slices"]
    full, half = (
        wave_cases.multislice(CudaBackend(HostDevice(kernel_folder), fft="steps", tape=tape), scene)
        for tape in ("full", "half")
    )
    kept = [name for name in full if "transfer" in name.rsplit(" ", 1)[1]]
    assert all((half[name] == full[name]).all() for name in kept)
    assert {name.split()[0] for name in kept} == {"exits", "grad_transmission", "grad_transfer", "grad_waves"}
    others = [name for name in full if name.startswith("grad_transmission") and name.endswith("waves transmission")]
    assert others
    assert all((half[name] != full[name]).any() for name in others)


BARRIERS = {
    "of the first threads of gather": ("        __syncthreads();  // other lines may", "        // other lines may"),
    "within gather": ("threadIdx.x] = x[e];\n        __syncthreads();", "threadIdx.x] = x[e];"),
    "before the exchange is read": ("        wait();\n#pragma unroll", "#pragma unroll"),
    "after the exchange was read": ("        wait();  // the memory", "        // the memory"),
}


@pytest.mark.parametrize("barrier", BARRIERS)
def test_a_missing_barrier_is_seen(kernel_folder: Path, barrier: str) -> None:
    whole, without = BARRIERS[barrier]
    header = sources.read("fft.cuh")
    assert header.count(whole) == 1
    broken = header.replace(whole, without)
    texts = {op: with_header(op, broken) for op in ("transmit_rows", "propagate_columns")}
    scene = SCENES["4 modes, two states"]
    expected = wave_cases.multislice(CudaBackend(HostDevice(kernel_folder), fft="own"), scene)
    wrong = 0
    for schedule in range(3):
        outputs = wave_cases.multislice(CudaBackend(HostDevice(kernel_folder, schedule, texts), fft="own"), scene)
        worst = [np.abs(outputs[n] - values).max() / np.abs(values).max() for n, values in expected.items()]
        wrong += not np.max(worst) < 1e-4  # also NaN
    assert wrong


def with_header(op: str, header: str) -> str:
    """An op with a changed fft.cuh: under other names, because the harness has included the right one before."""
    lines = [line for line in header.splitlines() if not line.startswith("#")]
    text = sources.read(f"{op}.cu").replace('#include "fft.cuh"', "\n".join(lines))
    return re.sub(r"\b(points|quarter_turn|eighth_turn|turned|turn_all|Lines|FORWARD|INVERSE)\b", r"other_\1", text)


LATERAL = ("object_amplitude", "object_phase", "probe", "shifts")


@pytest.mark.parametrize("names", [LATERAL, (*LATERAL, "tilts", "slice_thickness")], ids=["lateral", "all"])
def test_gradients_of_a_whole_model_are_those_with_cufft(kernel_folder: Path, names: tuple[str, ...]) -> None:
    problem, state = random_scene(positions=3, window=(64, 64))
    found, kernels = [], STEPS if names == LATERAL else STEPS - PROPAGATION | KEPT
    for fft in ("cufft", "own"):
        device = HostDevice(kernel_folder)
        backend = CudaBackend(device, fft=fft)
        loss, gradients = ptycupy.loss_and_gradients(
            problem, state, [0, 2], {"gaussian": {}}, backend=backend, parameters=names
        )
        assert (set(device.launches) >= kernels) == (fft == "own")
        assert (not {"fft", "inverse fft"} & set(device.calls)) == (fft == "own")
        found.append((loss.total, {name: getattr(gradients, name) for name in names}))
    (expected_loss, expected), (loss, gradients) = found
    assert loss == pytest.approx(expected_loss, rel=1e-5)
    for name, values in expected.items():
        np.testing.assert_allclose(gradients[name], values, rtol=0, atol=1e-4 * np.abs(values).max(), err_msg=name)


def test_other_windows_take_cufft_and_say_so_once(
    kernel_folder: Path, caplog: pytest.LogCaptureFixture, host_cuda_backend: Callable[[str], Backend]
) -> None:
    scene = Scene(window=(64, 48), canvas=(66, 50), n=1, p=1, o=1, z=2, tilts=False)
    device = HostDevice(kernel_folder)
    backend = CudaBackend(device, fft="own")
    with caplog.at_level(logging.INFO, "ptycupy.backends"):
        outputs = wave_cases.multislice(backend, scene)
    assert [r.getMessage() for r in caplog.records] == [
        "backend.fft own: windows of 64 x 48 px take cuFFT; own sides are 64, 128, 256, 512"
    ]
    assert not STEPS & set(device.launches)
    expected = wave_cases.multislice(host_cuda_backend("float32"), scene)
    assert_agree(outputs, expected, 1e-12, 1e-12)


def test_auto_is_cufft(kernel_folder: Path) -> None:
    device = HostDevice(kernel_folder)
    wave_cases.multislice(CudaBackend(device), SCENES["one mode"])
    assert not STEPS & set(device.launches)


def test_modes_are_shared_out_until_there_are_enough_blocks() -> None:
    assert steps.shared_out(steps.ENOUGH_BLOCKS, 12, 16) == 1
    assert steps.shared_out(128, 12, 16) == 4
    assert steps.shared_out(1, 12, 16) == 8
    assert steps.shared_out(1, 12, 4) == 4
    assert steps.shared_out(1, 1, 16) == 1
