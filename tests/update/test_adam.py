"""Adam against Kingma and Ba's algorithm 1 in plain float64 NumPy, real and complex, over several steps."""

from __future__ import annotations

import numpy as np
import pytest
from scenes import random_scene

import ptycupy
from ptycupy import Engine, Settings
from ptycupy.backends import select
from ptycupy.errors import ConfigError
from ptycupy.update.optimizers import Adam, make_optimizer

RATE, STEPS = 0.02, 7


class Plain:
    """Adam on real numbers; a complex parameter is two of them, each with moments of its own."""

    def __init__(self, beta1=0.9, beta2=0.999, eps=1e-8):
        self.beta1, self.beta2, self.eps, self.t, self.m, self.v = beta1, beta2, eps, 0, 0.0, 0.0

    def step(self, parameter, grad, rate):
        if np.iscomplexobj(parameter):
            grad, parameter = (np.stack([x.real, x.imag]) for x in (grad, parameter))
            moved = self.step(parameter, grad, rate)
            return moved[0] + 1j * moved[1]
        self.t += 1
        self.m = self.beta1 * self.m + (1 - self.beta1) * grad
        self.v = self.beta2 * self.v + (1 - self.beta2) * grad**2
        mean = self.m / (1 - self.beta1**self.t)
        square = self.v / (1 - self.beta2**self.t)
        return parameter - rate * mean / (np.sqrt(square) + self.eps)


def gradients(shape, is_complex):
    """Over many orders of magnitude, zeros among them."""
    g = np.random.default_rng(5)
    for scale in 10.0 ** g.integers(-6, 4, STEPS):
        grad = scale * g.standard_normal(shape)
        if is_complex:
            grad = grad + 1j * scale * g.standard_normal(shape)
        grad.flat[::5] = 0
        yield grad


@pytest.mark.parametrize("is_complex", [False, True], ids=["real", "complex"])
@pytest.mark.parametrize("options", [{}, {"beta1": 0.5, "beta2": 0.9, "eps": 1e-3}], ids=["default", "other"])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-13), ("float32", 3e-6)])
def test_steps_are_those_of_the_paper(is_complex, options, dtype, tolerance):
    backend, optimizer, plain = select("cpu", dtype), make_optimizer("adam", **options), Plain(**options)
    g = np.random.default_rng(1)
    shape = (2, 3, 5)
    wanted = g.standard_normal(shape) + (1j * g.standard_normal(shape) if is_complex else 0)
    parameter = backend.asarray(wanted.astype(backend.complex if is_complex else backend.real))
    moments = optimizer.init(backend, parameter)
    for number, grad in enumerate(gradients(shape, is_complex), start=1):
        optimizer.update(backend, parameter, backend.asarray(grad.astype(parameter.dtype)), moments, RATE)
        wanted = plain.step(wanted, grad, RATE)
        assert moments.step == number
        np.testing.assert_allclose(parameter, wanted, rtol=0, atol=tolerance)


def test_the_first_step_has_the_size_of_the_learning_rate_in_every_part():
    backend = select("cpu", "float64")
    parameter = backend.zeros((3,), np.complex128)
    optimizer = Adam()
    grad = np.array([1e-3 - 5.0j, 2.0, 0.0])
    optimizer.update(backend, parameter, grad, optimizer.init(backend, parameter), RATE)
    np.testing.assert_allclose(parameter, [-RATE + 1j * RATE, -RATE, 0], rtol=1e-4)


def test_the_engine_takes_these_steps_for_every_field():
    """Six parameters, three batches: gradients of the public function, fed to the plain optimizer by hand."""
    problem, state = random_scene()
    rates = {"object_amplitude": 1e-3, "object_phase": 2e-3, "probe": 3e-3, "shifts": 4e-3, "tilts": 0.1,
             "slice_thickness": 0.05}  # fmt: skip
    losses = {"gaussian": {}, "sparsity": {}}
    engine = Engine(problem, state, Settings(losses, learning_rates=rates), "cpu", "float64")
    plain = {name: Plain() for name in rates}
    for batch in ([0, 1], [4, 2, 3], [1]):
        loss, grads = ptycupy.loss_and_gradients(problem, state, batch, losses, "cpu", "float64")
        stepped = engine.step(batch)
        assert stepped.total == pytest.approx(loss.total, rel=1e-12)
        state = state.replace(
            **{n: plain[n].step(np.asarray(getattr(state, n)), getattr(grads, n), rates[n]) for n in rates}
        )
        for name in rates:
            np.testing.assert_allclose(getattr(engine.state, name), getattr(state, name), rtol=1e-10, err_msg=name)


def test_moments_live_on_in_iterations_without_a_gradient():
    """Dense Adam: a position that is not in the batch moves by its old momentum, as in torch."""
    problem, state = random_scene()
    engine = Engine(problem, state, Settings({"gaussian": {}}, learning_rates={"shifts": 1e-2}), "cpu", "float64")
    engine.step([0])
    after = engine.state.shifts
    engine.step([1])
    assert (engine.state.shifts[0] != after[0]).all()
    np.testing.assert_array_equal(engine.state.shifts[2:], state.shifts[2:])


def test_an_option_that_adam_has_not_is_refused():
    with pytest.raises(ConfigError, match="unknown parameter 'beta3'"):
        make_optimizer("adam", beta3=0.5)
