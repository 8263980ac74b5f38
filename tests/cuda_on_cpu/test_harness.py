"""The harness finds the mistakes that it is there for: races, missing barriers, writes outside, unset memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cuda_on_cpu.host_device import HostDevice
from ptycupy.backends.cuda import CudaBackend, sources

HERE = Path(__file__).parent


def backends(folder: Path, op: str, text: str) -> list[CudaBackend]:
    """One per schedule, with another source for one op."""
    return [CudaBackend(HostDevice(folder, schedule, {op: text})) for schedule in range(3)]


def limits(backend: CudaBackend) -> list[int]:
    shifts = backend.asarray(np.linspace(-3, 3, 600).reshape(300, 2), np.float32)
    corners = backend.asarray(np.zeros((300, 2), np.int32))
    found: list[int] = backend.to_host(backend.reanchor(shifts, corners)).tolist()
    return found


def test_right_source_agrees_under_every_schedule(kernel_folder: Path) -> None:
    for backend in backends(kernel_folder, "reanchor", sources.read("reanchor.cu")):
        assert limits(backend) == [-3, -3, 3, 3]


def test_missing_barrier_is_seen(kernel_folder: Path) -> None:
    text = sources.read("reanchor.cu").replace("    __syncthreads();\n", "")
    assert text != sources.read("reanchor.cu")
    assert any(limits(backend) != [-3, -3, 3, 3] for backend in backends(kernel_folder, "reanchor", text))


def test_race_between_blocks_is_seen(kernel_folder: Path) -> None:
    """A plain store where windows overlap depends on the order of the blocks."""
    text = (
        sources.read("patch.cu")
        .replace("red(&grad_field[", "*(&grad_field[", 1)
        .replace("canvas_width)],\n        grad_patches", "canvas_width)]) =\n        (grad_patches", 1)
    )
    results = []
    for backend in backends(kernel_folder, "patch", text):
        field = backend.zeros((1, 1, 6, 6), np.float32)
        corners, indices = np.array([[0, 0], [1, 1]], np.int32), np.arange(2, dtype=np.int32)
        patches = np.arange(32, dtype=np.float32).reshape(2, 1, 1, 4, 4)
        places = backend.asarray(corners), backend.asarray(indices)
        backend.patch_backward(backend.asarray(patches), *places, field)
        results.append(backend.to_host(field))
    assert any((result != results[0]).any() for result in results[1:])


def test_write_outside_an_array_is_seen(kernel_folder: Path) -> None:
    text = sources.read("scale.cu").replace("if (i < count)", "if (i <= count)")
    backend = backends(kernel_folder, "scale", text)[0]
    with pytest.raises(IndexError, match="scale wrote outside an array of 96 bytes"):
        backend.far_field_forward(backend.zeros((3, 1, 1, 2, 2), np.complex64))


def test_new_memory_is_nan(kernel_folder: Path) -> None:
    backend = CudaBackend(HostDevice(kernel_folder))
    assert np.isnan(backend.to_host(backend.empty((5,), np.float32))).all()
    assert (backend.to_host(backend.empty((5,), np.int32)) == -1).all()


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ("if (threadIdx.x >= 4) return;\n    __syncthreads();", "divergent barrier"),
        ("if (threadIdx.x < 4) __syncthreads();\n    if (threadIdx.x >= 4) return;", "divergent barrier"),
    ],
)
def test_divergent_barrier_aborts(kernel_folder: Path, broken: str, message: str) -> None:
    script = f"""
import sys; sys.path.insert(0, {str(HERE.parent)!r})
from pathlib import Path
from cuda_on_cpu.test_harness import backends, limits, sources
text = sources.read("reanchor.cu").replace("if (threadIdx.x >= 4) return;", {broken!r})
limits(backends(Path({str(kernel_folder)!r}), "reanchor", text)[0])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode < 0
    assert message in done.stderr


def test_write_behind_dynamic_shared_memory_aborts(kernel_folder: Path) -> None:
    """And a launch that asks for more than a block gets is refused, as on a device."""
    script = f"""
import sys; sys.path.insert(0, {str(HERE.parent)!r})
from pathlib import Path
from cuda_on_cpu.host_device import HostDevice
from cuda_on_cpu.scene import Scene
from cuda_on_cpu import wave_cases
from ptycupy.backends.cuda import CudaBackend, whole_waves
if sys.argv[1] == "less":
    whole_waves.room = lambda side, dtype: 0
else:
    launch = HostDevice.launch
    HostDevice.launch = lambda self, kernel, grid, block, shared, given: launch(
        self, kernel, grid, block, shared - 8, given
    )
device = HostDevice(Path({str(kernel_folder)!r}), shared_memory=65535 if sys.argv[1] == "less" else 80000)
scene = Scene(n=1, p=1, o=1, z=2, window=(64, 64), canvas=(65, 65), tilts=False)
wave_cases.multislice(CudaBackend(device, "float64", "whole"), scene)
"""
    messages = {
        "less": "multislice_forward: 65536 bytes of shared memory, but a block gets 65535",
        "short": "a write behind the block's dynamic shared memory",
    }
    for mistake, message in messages.items():
        done = subprocess.run([sys.executable, "-c", script, mistake], capture_output=True, text=True, check=False)
        assert done.returncode != 0
        assert message in done.stderr


def test_deterministic_scatter_repeats_bit_by_bit(kernel_folder: Path) -> None:
    """The gathered sum is the same for every order of blocks; the atomic one differs in the last digits."""
    rng = np.random.default_rng(0)
    patches = (10.0 ** rng.uniform(-4, 4, (40, 1, 1, 5, 5))).astype(np.float32)
    corners, indices = rng.integers(0, 3, (40, 2)).astype(np.int32), np.arange(40, dtype=np.int32)
    fields: dict[bool, list[bytes]] = {True: [], False: []}
    for schedule in range(3):
        for deterministic, found in fields.items():
            backend = CudaBackend(HostDevice(kernel_folder, schedule), deterministic=deterministic)
            field = backend.zeros((1, 1, 8, 8), np.float32)
            places = backend.asarray(corners), backend.asarray(indices)
            backend.patch_backward(backend.asarray(patches), *places, field)
            found.append(backend.to_host(field).tobytes())
    assert len(set(fields[True])) == 1
    assert len(set(fields[False])) > 1
