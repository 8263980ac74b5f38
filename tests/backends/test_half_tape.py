"""What a tape in half precision does to gradients. The numbers are relative L2 errors against double precision."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cuda_on_cpu.host_device import HostDevice
from reference import ReferenceBackend
from scenes import random_scene

import ptycupy
from ptycupy.backends.cuda import CudaBackend
from ptycupy.errors import ConfigError

WINDOWS = {"cufft": (32, 32), "steps": (64, 64), "own": (64, 64)}  # sides that the transforms have
# Half precision rounds to 11 bits, 1.4e-4 on average; single precision is some 1e-7 off after 4 slices.
BOUND = {"full": 1e-6, "half": 3e-4}


def difference(found: Any, expected: Any) -> float:
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def drawn(window: tuple[int, int]) -> tuple[Any, ...]:
    """Waves, object, transfer, corners, indices and the exit waves' gradient: 3 patterns, 2 modes, 4 slices."""
    rng = np.random.default_rng(4)

    def wave(*shape: int) -> Any:
        return (rng.normal(size=shape) + 1j * rng.normal(size=shape)).astype(np.complex64)

    transmission = np.exp(1j * rng.uniform(-0.5, 0.5, (1, 4, window[0] + 12, window[1] + 10))).astype(np.complex64)
    transfer = np.exp(1j * rng.uniform(-3, 3, (3, 1, *window))).astype(np.complex64)
    corners = rng.integers(0, (13, 11), (3, 2)).astype(np.int32)
    waves, grad = wave(3, 1, 2, *window), wave(3, 1, 2, *window)
    waves *= np.float32(10) ** rng.uniform(-4, 0, waves.shape).astype(np.float32)  # bright and dark
    return waves, transmission, transfer, corners, np.arange(3, dtype=np.int32), grad


def gradients(backend: Any, window: tuple[int, int]) -> tuple[Any, Any, Any]:
    """Exit waves, and the gradients of object and entering waves."""
    waves, transmission, transfer, corners, indices, grad = map(backend.asarray, drawn(window))
    target = backend.zeros(transmission.shape, backend.complex)
    exits, saved = backend.multislice_forward(waves, transmission, transfer, corners, indices, False)
    kept = backend.to_host(exits).copy()
    back = backend.multislice_backward(grad, saved, transmission, transfer, corners, indices, target, None, True)
    return kept, backend.to_host(target), backend.to_host(back)


@pytest.mark.parametrize("fft", WINDOWS)
@pytest.mark.parametrize("tape", BOUND)
def test_the_gradient_of_four_slices_is_as_good_as_stated(kernel_folder: Any, tape: str, fft: str) -> None:
    device = HostDevice(kernel_folder)
    found = gradients(CudaBackend(device, "float32", fft=fft, tape=tape), WINDOWS[fft])
    assert ("transmit_rows_backward" in device.launches) == (fft != "cufft")
    assert ("half_decode" in device.launches) == (tape == "half")
    exits, of_object, of_waves = gradients(ReferenceBackend(), WINDOWS[fft])
    assert difference(found[1], of_object) < BOUND[tape]
    assert difference(found[0], exits) < BOUND["full"]  # the pass itself is in full precision
    assert difference(found[2], of_waves) < BOUND["full"]  # and the waves' own gradient needs nothing that was kept


@pytest.mark.parametrize(("fft", "window"), [("cufft", (12, 12)), ("steps", (64, 64))])
def test_nothing_but_the_objects_gradient_changes(kernel_folder: Any, fft: str, window: tuple[int, int]) -> None:
    """Neither in the chain alone nor on the whole way from the probe to the detector."""
    problem, state = random_scene(positions=4, slices=4, probe_modes=2, seed=2, window=window)
    fields = ("object_amplitude", "object_phase", "probe", "shifts")
    found = []
    for tape in BOUND:
        backend = CudaBackend(HostDevice(kernel_folder), "float32", fft, tape=tape, deterministic=True)
        found.append(
            ptycupy.loss_and_gradients(problem, state, [3, 0, 1], {"gaussian": {}}, backend, parameters=fields)
        )
    (loss, full), (same, half) = found
    assert loss == same
    for field in ("probe", "shifts"):
        np.testing.assert_array_equal(getattr(half, field), getattr(full, field))
    for field in ("object_amplitude", "object_phase"):
        assert 0 < difference(getattr(half, field), getattr(full, field)) < BOUND["half"]


def test_unknown_tapes_are_refused(kernel_folder: Any) -> None:
    with pytest.raises(ConfigError, match=r"backend\.tape 'quarter': one of full, half"):
        CudaBackend(HostDevice(kernel_folder), tape="quarter")


def test_whole_waves_have_no_tape_of_halves(kernel_folder: Any) -> None:
    with pytest.raises(ConfigError, match=r"backend\.fft 'whole' .* not with tape 'half'; steps, own, cufft and auto"):
        CudaBackend(HostDevice(kernel_folder), fft="whole", tape="half")
