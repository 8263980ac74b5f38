"""Batches in parts and specimens in one op: the same numbers as all at once and step by step, with no work twice."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from scenes import random_scene

import ptycupy
from ptycupy.backends import select
from ptycupy.experiment.state import FIELDS
from ptycupy.model import forward_model
from ptycupy.model import losses as terms
from ptycupy.model.experiment import place
from ptycupy.model.losses import make_terms
from ptycupy.model.objective import Objective
from ptycupy.model.parameters import Parameters, upload

RAN = {"gaussian": {}, "sparsity": {}}
LATERAL = ("object_amplitude", "object_phase", "probe", "shifts")  # no gradient of a transfer function


@pytest.mark.parametrize("slices", [1, 2, 3, 7])
@pytest.mark.parametrize(("probe_modes", "object_modes"), [(1, 1), (4, 1), (2, 3)])
@pytest.mark.parametrize("window", [(12, 12), (64, 64), (13, 11)])
@pytest.mark.parametrize("names", [LATERAL, FIELDS[:6]], ids=["lateral", "all"])
def test_the_chain_in_one_op_equals_the_chain_of_ops(monkeypatch, names, window, probe_modes, object_modes, slices):
    problem, state = random_scene(
        window=window, probe_modes=probe_modes, object_modes=object_modes, slices=slices, tilt_per_position=slices == 3
    )

    def found():
        return ptycupy.loss_and_gradients(problem, state, range(5), RAN, "cpu", parameters=names)

    loss, one = found()
    for module in (forward_model, terms):
        monkeypatch.setattr(module, "way", lambda *_: None)
    # Whoever looks at the waves between slices has them op by op.
    looking = partial(forward_model.scattered, enter=lambda *_: None)
    monkeypatch.setattr(forward_model, "scattered", looking)
    expected, steps = found()
    assert loss.total == pytest.approx(expected.total, rel=1e-6)
    for name in names:
        got, wanted = getattr(one, name), getattr(steps, name)
        assert np.linalg.norm(got - wanted) <= 1e-5 * np.linalg.norm(wanted), name


class Counting:
    """A backend that counts the calls of some methods."""

    def __init__(self, backend, *names):
        self._backend, self._names, self.calls = backend, names, 0

    def __getattr__(self, name):
        if name in self._names:
            self.calls += 1
        return getattr(self._backend, name)


@pytest.mark.parametrize(
    ("losses", "passes"),
    [
        ({"gaussian": {}, "sparsity": {}}, 3),
        ({"poisson": {}, "similarity": {}}, 3),
        ({"gaussian": {}, "pacbed": {}}, 6),  # two data terms: the statistics of all parts come first
    ],
    ids=["gaussian", "poisson", "mixed"],
)
def test_one_data_term_needs_no_forward_pass_beforehand(losses, passes):
    problem, state = random_scene(tilt_per_position=False)
    backend = Counting(select("cpu", "float64"), "diffraction_forward", "misfit_forward")
    parameters = upload(backend, state)
    gradients = Parameters.of({n: backend.zeros(a.shape, a.dtype) for n, a in parameters.items() if n in LATERAL})
    experiment = place(backend, problem, parameters)
    values = backend.zeros((len(losses),), np.float64)
    Objective(backend, experiment, make_terms(losses), sub_batch=2).accumulate(
        parameters, gradients, np.arange(5), values
    )
    assert backend.calls == passes
