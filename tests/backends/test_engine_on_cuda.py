"""A whole reconstruction on the CUDA backend (on the CPU harness) is the one on the CPU backend."""

from __future__ import annotations

import numpy as np
import pytest
from scenes import random_scene

from ptycupy import Constraint, Engine, Settings
from ptycupy.update.optimizers.lsqml import Lsqml


@pytest.mark.parametrize("detector", [(12, 12), (8, 9)], ids=["plain", "cropped and blurred"])
def test_every_loss_constraint_and_parameter(cpu_backend, host_cuda_backend, detector):
    """Two iterations with everything switched on, in float64."""
    problem, state = random_scene(
        positions=7, detector=detector, object_modes=3, detector_blur=0.0 if detector == (12, 12) else 0.7
    )
    rates = {
        "object_amplitude": 1e-2,
        "object_phase": 1e-2,
        "probe": 1e-3,
        "shifts": 0.2,
        "tilts": 0.1,
        "slice_thickness": 0.05,
    }
    names = ("orthogonal_probe", "fixed_probe_intensity", "lateral_blur", "depth_blur", "amplitude_threshold")
    settings = Settings(
        {"gaussian": {}, "poisson": {"weight": 0.3}, "pacbed": {}, "sparsity": {"order": 2}, "similarity": {}},
        learning_rates=rates,
        constraints=[Constraint(name) for name in (*names, "positive_phase", "position_recentring")],
        batch_size=3,
        sub_batch=2,
    )
    engines = [Engine(problem, state, settings, make("float64")) for make in (cpu_backend, host_cuda_backend)]
    for engine in engines:
        engine.run(2)
    cpu, cuda = engines
    np.testing.assert_allclose(cpu.history.total, cuda.history.total, rtol=1e-10)
    np.testing.assert_array_equal(cpu.problem.corners, cuda.problem.corners)
    for (name, expected), (_, found) in zip(cpu.state.items(), cuda.state.items(), strict=True):
        scale = np.abs(expected).max()
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-8 * scale, err_msg=name)


def test_lsqml_with_everything_that_a_state_has(cpu_backend, host_cuda_backend):
    problem, state = random_scene(positions=7, optional=True)
    rates = {"object_amplitude": 1.0, "object_phase": 1.0, "probe": 1.0, "descan": 1e-3}
    settings = Settings({"gaussian": {}}, Lsqml(momentum=0.5), rates, batch_size=4, sub_batch=6)
    engines = [Engine(problem, state, settings, make("float64")) for make in (cpu_backend, host_cuda_backend)]
    for engine in engines:
        engine.run(2)
    cpu, cuda = engines
    np.testing.assert_allclose(cpu.history.total, cuda.history.total, rtol=1e-10)
    for (name, expected), (_, found) in zip(cpu.state.items(), cuda.state.items(), strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-8 * np.abs(expected).max(), err_msg=name)
