"""Patterns decoded and compared with waves in one kernel: in steps the detector of all modes, elsewhere a residual."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cuda_on_cpu import wave_cases
from cuda_on_cpu.host_device import HostDevice
from cuda_on_cpu.scene import Outputs, Scene
from reference import ReferenceBackend

from ptycupy.backends.cuda import CudaBackend, open_device, sources, wave_steps

H100 = 232448  # bytes of shared memory that a block may have
SMALL = {"window": (64, 64), "canvas": (70, 67)}
SCENES = {
    "one mode": Scene(n=1, p=1, o=1, z=3, tilts=False, **SMALL),
    "2 modes, as many as groups": Scene(n=2, p=2, o=1, z=2, **SMALL),
    "3 modes, two states": Scene(n=2, p=3, o=2, z=2, **SMALL),
    "12 modes": Scene(n=1, p=12, o=1, z=2, tilts=False, **SMALL),
    "128": Scene(n=1, p=3, o=1, z=2, window=(128, 128), canvas=(131, 129), tilts=False),
    "256": Scene(n=1, p=1, o=2, z=1, window=(256, 64), canvas=(257, 67), tilts=False),
    "512": Scene(n=1, p=3, o=1, z=1, window=(512, 64), canvas=(513, 65), tilts=False),
}
# What the one kernel is there instead of.
SPARED = {"patterns", "intensity_forward", "intensity_backward", "gaussian_statistics", "gaussian_gradient", "residual"}


def assert_agree(outputs: Outputs, expected: Outputs, values: float, gradients: float) -> None:
    for name, wanted in expected.items():
        atol = (gradients if name.startswith("grad") else values) * np.abs(wanted).max()
        np.testing.assert_allclose(outputs[name], wanted, rtol=0, atol=atol, err_msg=name)


@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES)
def test_the_detector_in_steps_equals_the_reference(kernel_folder: Path, scene: Scene) -> None:
    """Every form of patterns, both likelihoods; under each order of threads in turn, with two groups and with one."""
    expected = wave_cases.misfit_of_stored(ReferenceBackend(), scene)
    for schedule in range(3) if scene.window == (64, 64) and scene.p < 4 else (1,):
        for room in (0, H100):
            device = HostDevice(kernel_folder, schedule, shared_memory=room)
            outputs = wave_cases.misfit_of_stored(CudaBackend(device, fft="steps"), scene)
            assert "detect_columns" in device.launches
            assert not SPARED & set(device.launches)
            assert_agree(outputs, expected, 1e-5, 1e-4)


@pytest.mark.parametrize("fft", ["cufft", "whole"])
def test_the_residual_of_other_chains_equals_the_reference(kernel_folder: Path, fft: str) -> None:
    scene = SCENES["3 modes, two states"]
    expected = wave_cases.misfit_of_stored(ReferenceBackend(), scene)
    for schedule in range(3):
        device = HostDevice(kernel_folder, schedule, shared_memory=H100)
        outputs = wave_cases.misfit_of_stored(CudaBackend(device, fft=fft), scene)
        assert "residual" in device.launches
        assert not {"patterns", "gaussian_statistics", "gaussian_gradient", "scale"} & set(device.launches)
        assert_agree(outputs, expected, 1e-5, 1e-4)


@pytest.mark.parametrize("fft", ["cufft", "steps", "whole"])
def test_in_float64_they_are_the_reference(kernel_folder: Path, fft: str) -> None:
    scene = SCENES["2 modes, as many as groups"]
    backend = CudaBackend(HostDevice(kernel_folder, shared_memory=H100), "float64", fft)
    assert_agree(
        wave_cases.misfit_of_stored(backend, scene),
        wave_cases.misfit_of_stored(ReferenceBackend(), scene),
        1e-12,
        1e-11,
    )


@pytest.mark.parametrize("fft", ["steps", "whole"])
def test_a_deterministic_misfit_repeats_bit_by_bit(kernel_folder: Path, fft: str) -> None:
    found = []
    for schedule in range(3):
        backend = CudaBackend(HostDevice(kernel_folder, schedule, shared_memory=H100), fft=fft, deterministic=True)
        outputs = wave_cases.misfit_of_stored(backend, SCENES["3 modes, two states"])
        found.append([values.tobytes() for values in outputs.values()])
    assert found[0] == found[1] == found[2]


@pytest.mark.gpu
@pytest.mark.parametrize("fft", ["cufft", "steps", "whole"])
def test_on_a_gpu_they_are_the_reference(fft: str) -> None:
    for name in ("3 modes, two states", "12 modes", "128"):
        outputs = wave_cases.misfit_of_stored(CudaBackend(open_device(0), fft=fft), SCENES[name])
        assert_agree(outputs, wave_cases.misfit_of_stored(ReferenceBackend(), SCENES[name]), 1e-5, 1e-4)


BARRIERS = {
    "before groups look at each other's sums": ("= totals[e];\n    __syncthreads();\n", "= totals[e];\n"),
    "before the memory of those sums is written again": (
        "    }\n    __syncthreads();\n    block_sum",
        "    }\n    block_sum",
    ),
}


@pytest.mark.parametrize("barrier", BARRIERS)
def test_a_missing_barrier_of_the_detector_is_seen(kernel_folder: Path, barrier: str) -> None:
    whole, without = BARRIERS[barrier]
    text = sources.read("detect_columns.cu")
    assert text.count(whole) == 1
    scene = SCENES["3 modes, two states"]
    expected = wave_cases.misfit_of_stored(ReferenceBackend(), scene)
    wrong = 0
    for schedule in range(3):
        device = HostDevice(kernel_folder, schedule, {"detect_columns": text.replace(whole, without)}, H100)
        outputs = wave_cases.misfit_of_stored(CudaBackend(device, fft="steps"), scene)
        worst = [np.abs(outputs[name] - values).max() / np.abs(values).max() for name, values in expected.items()]
        wrong += not np.max(worst) < 1e-4  # also NaN
    assert wrong


def test_groups_have_room_on_every_card() -> None:
    """One group of any precision below the 64 KB of the smallest one, two of float32 below what needs no opting in."""
    assert wave_steps.detector_room(1, np.dtype(np.float64)) <= 65536
    assert wave_steps.detector_room(wave_steps.MOST_GROUPS, np.dtype(np.float32)) <= 49152
