"""Every optimizer against stored trajectories of torch.optim: 20 steps, real and complex, several options."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest

from ptycupy.backends import select
from ptycupy.config.optimizers import OPTIONS as SECTIONS
from ptycupy.update.optimizers import OPTIMIZERS, make_optimizer

FILES = Path(__file__).parents[1] / "files"
sys.path.insert(0, str(FILES))
from torch_options import OPTIONS, RATES, SHAPES  # noqa: E402

SETS = [(name, number) for name, sets in OPTIONS.items() for number in range(len(sets))]
KEPT = (1, 7, 20)
TOLERANCE = {"float64": 1e-12, "float32": 1e-5}


@pytest.fixture(scope="module")
def stored():
    with np.load(FILES / "torch_trajectories.npz") as file:
        return dict(file)


def test_every_optimizer_has_a_trajectory():
    assert set(OPTIONS) | {"lbfgs", "lsqml"} == set(OPTIMIZERS)


def follow(backend, name, number, stored):
    """The largest deviation, relative to the parameter's scale where that is above 1."""
    worst = 0.0
    for kind in SHAPES:
        start, gradients = stored[f"start/{kind}"], stored[f"gradients/{kind}"]
        dtype = backend.complex if kind == "complex" else backend.real
        optimizer = make_optimizer(name, **OPTIONS[name][number])
        parameter = backend.asarray(start.astype(dtype))
        moments = optimizer.init(backend, parameter)
        for step, grad in enumerate(gradients, start=1):
            optimizer.update(backend, parameter, backend.asarray(grad.astype(dtype)), moments, RATES[name])
            if step in KEPT:
                wanted = stored[f"steps/{name}/{number}/{kind}"][KEPT.index(step)]
                away = np.abs(backend.to_host(parameter) - wanted).max() / max(1.0, np.abs(wanted).max())
                worst = max(worst, float(away))
    return worst


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize(("name", "number"), SETS)
def test_cpu_takes_torchs_steps(name, number, dtype, stored):
    assert follow(select("cpu", dtype), name, number, stored) < TOLERANCE[dtype]


@pytest.mark.parametrize(("name", "number"), SETS)
def test_cuda_sources_take_torchs_steps(name, number, stored, host_cuda_backend):
    assert follow(host_cuda_backend("float32"), name, number, stored) < TOLERANCE["float32"]


@pytest.mark.parametrize("name", SECTIONS)
def test_options_of_the_configuration_are_those_of_the_optimizer(name):
    """Same names, same defaults."""
    expected = {field.name: field.default for field in dataclasses.fields(OPTIMIZERS[name])}
    assert {key: field.default for key, field in SECTIONS[name].model_fields.items()} == expected
