"""The same bits from every run: on the CPU with any number of threads, on the CUDA backend with `deterministic` in any
order of threads and blocks. Two iterations with every parameter refined, every loss, and what a step may change."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scenes import random_scene

from ptycupy import Constraint, Engine, Settings
from ptycupy.experiment.state import FIELDS

LOSSES = {"gaussian": {}, "poisson": {"weight": 0.1}, "pacbed": {}, "sparsity": {}, "similarity": {}}
CONSTRAINTS = (
    "orthogonal_probe",
    "fixed_probe_intensity",
    "probe_support",
    "lateral_blur",
    "depth_blur",
    "complex_ratio",
    "amplitude_threshold",
    "positive_phase",
    "position_recentring",
)


def bits(backend, losses, optimizer="adam"):
    """The State and the losses after two iterations, as bytes by name."""
    problem, state = random_scene(positions=7, window=(9, 10), optional=True, seed=4)
    settings = Settings(
        losses,
        optimizer=optimizer,
        learning_rates=dict.fromkeys(FIELDS, 1e-3),
        constraints=[Constraint(name) for name in CONSTRAINTS],
        batch_size=4,
        sub_batch=3,
        gradient_accumulation=2,
    )
    engine = Engine(problem, state, settings, backend)
    engine.run(2)
    found = {name: np.asarray(value).tobytes() for name, value in engine.state.items()}
    return found | {"losses": np.asarray(engine.history.total).tobytes()}


def assert_same_bits(found):
    for other in found[1:]:
        assert [name for name in other if other[name] != found[0][name]] == []


@pytest.mark.parametrize(("optimizer", "schedules"), [("adam", (0, 1, 2)), ("lsqml", (0, 2))], ids=("adam", "lsqml"))
def test_the_order_of_blocks_changes_no_bit(kernel_folder, optimizer, schedules):
    from cuda_on_cpu.host_device import HostDevice

    from ptycupy.backends.cuda import CudaBackend

    losses = LOSSES if optimizer == "adam" else {"gaussian": {}}

    def run(schedule):
        return bits(CudaBackend(HostDevice(kernel_folder, schedule), deterministic=True), losses, optimizer)

    assert_same_bits([run(schedule) for schedule in schedules])


def test_without_it_atomic_additions_come_in_any_order(kernel_folder):
    from cuda_on_cpu.host_device import HostDevice

    from ptycupy.backends.cuda import CudaBackend

    found = [bits(CudaBackend(HostDevice(kernel_folder, schedule), "float32"), {"gaussian": {}}) for schedule in (0, 1)]
    assert found[0]["object_phase"] != found[1]["object_phase"]


def numbers_of_threads():
    """Runs in a process of its own, whose number of threads is not fixed by what ran before."""
    import numba

    from ptycupy.backends.cpu import CpuBackend

    for optimizer in ("adam", "lsqml"):
        found = []
        for threads in (1, 2, 5, 5):
            numba.set_num_threads(threads)
            found.append(bits(CpuBackend("float32"), LOSSES, optimizer))
        assert_same_bits(found)


def test_the_number_of_threads_changes_no_bit():
    here = Path(__file__)
    program = f"import sys; sys.path[:0] = {[str(here.parent), str(here.parents[1])]!r}\n"
    program += f"from {here.stem} import numbers_of_threads; numbers_of_threads()"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "NUMBA_NUM_THREADS": "5"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
