"""L-BFGS against stored trajectories of torch.optim.LBFGS, and on a reconstruction."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from scenes import random_scene

import ptycupy
from ptycupy import Engine, Settings
from ptycupy.backends import select
from ptycupy.errors import ConfigError, DivergenceError
from ptycupy.model.parameters import Parameters
from ptycupy.update.algorithm import Work
from ptycupy.update.optimizers import make_optimizer
from ptycupy.update.schedules import make_schedule

FILES = Path(__file__).parents[1] / "files"
sys.path.insert(0, str(FILES))
from torch_options import LBFGS, rosenbrock  # noqa: E402

RATES = {"object_amplitude": 1.0, "object_phase": 1.0, "probe": 1.0}


def work_on(backend, function, start, rate, moments):
    """Work whose loss is a function of the object's phase, which holds all its variables."""
    parameters = Parameters(**dict.fromkeys(Parameters.__dataclass_fields__))
    gradients = Parameters(**dict.fromkeys(Parameters.__dataclass_fields__))
    parameters.object_phase, gradients.object_phase = start, backend.zeros(start.shape, start.dtype)
    values = backend.zeros((1, 1), np.float64)

    def evaluate(values):
        value, grad = function(backend.to_host(parameters.object_phase).astype(np.float64).reshape(-1))
        backend.copy(values, backend.asarray(np.array([[value]])))
        backend.copy(gradients.object_phase, backend.asarray(grad.reshape(start.shape).astype(start.dtype)))

    def loss(values):
        return float(backend.to_host(values)[0, 0])

    rates = {"object_phase": rate}
    batches = [np.arange(1)]
    alone = (lambda: 1), (lambda error: None)  # one pattern at once, which is never too much
    return Work(
        backend, None, parameters, gradients, moments, rates, batches, values, evaluate, loss, *alone, {}, False
    )


LONGEST = 2  # a minute on the sources that run thread by thread


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        pytest.param(kind, number, marks=[pytest.mark.slow] if (kind, number) == ("host", LONGEST) else [])
        for kind in ("cpu", "host")
        for number in range(len(LBFGS))
    ],
)
def test_steps_are_torchs(kind, number, host_cuda_backend):
    backend = select("cpu", "float64") if kind == "cpu" else host_cuda_backend("float64")
    options = {"line_search_fn": None, **LBFGS[number]}
    rate = options.pop("lr")
    with np.load(FILES / "torch_trajectories.npz") as file:
        start, wanted = file["start/real"].reshape(1, 1, 6, 4), file[f"lbfgs/{number}"]
    optimizer, moments, x = make_optimizer("lbfgs", **options), {}, backend.asarray(start.copy())
    for expected in wanted:
        optimizer.advance(work_on(backend, rosenbrock, x, rate, moments))
        np.testing.assert_allclose(backend.to_host(x).reshape(-1), expected, rtol=0, atol=1e-5)


def test_a_loss_that_is_not_finite_is_named():
    """And the parameters are those before the search."""
    backend = select("cpu", "float64")
    x = np.full((1, 1, 1, 3), 0.5)

    def broken(x):
        return (1.0 if (x == 0.5).all() else np.nan), np.ones(3)

    with pytest.raises(DivergenceError, match=r"L-BFGS: the loss became nan .* line search"):
        make_optimizer("lbfgs").advance(work_on(backend, broken, x, 1.0, {}))
    np.testing.assert_array_equal(x, 0.5)


def test_wrong_options_are_refused():
    with pytest.raises(ConfigError, match="line_search_fn 'weak' must be"):
        make_optimizer("lbfgs", line_search_fn="weak")


def test_it_lowers_the_loss_of_all_parameters_together_and_resumes():
    problem, state = random_scene(positions=6)
    optimizer = make_optimizer("LBFGS", max_iter=3, history_size=4)
    settings = Settings({"gaussian": {}}, optimizer, RATES, batch_size=3, gradient_accumulation=2)
    engine = Engine(problem, state, settings, "cpu", "float64")
    engine.run(2)
    saved = engine.snapshot()
    engine.run(2)
    assert engine.history.total == sorted(engine.history.total, reverse=True)
    before = ptycupy.loss_and_gradients(problem, state, range(6), {"gaussian": {}}, "cpu", "float64")[0]
    after = ptycupy.loss_and_gradients(problem, engine.state, range(6), {"gaussian": {}}, "cpu", "float64")[0]
    assert after.total < 0.7 * before.total
    again = Engine(problem, state, settings, "cpu", "float64")
    again.restore(saved)
    again.run(2)
    np.testing.assert_array_equal(again.state.probe, engine.state.probe)


def test_momenta_of_a_schedule_are_refused():
    problem, state = random_scene()
    schedule = make_schedule("cyclic", least=0.1, momenta=(0.8, 0.9))
    engine = Engine(problem, state, Settings({"gaussian": {}}, make_optimizer("lbfgs"), RATES, schedule), "cpu")
    with pytest.raises(ConfigError, match="Lbfgs: has no momentum"):
        engine.run(1)
