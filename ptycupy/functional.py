"""The array-level public functions: patterns, losses with gradients, and single constraints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycupy import backends
from ptycupy.backends.exchange import like, to_numpy
from ptycupy.backends.interface import Backend
from ptycupy.errors import ConfigError
from ptycupy.experiment.state import FIELDS, Problem, State
from ptycupy.model.experiment import place
from ptycupy.model.losses import Term, make_terms
from ptycupy.model.objective import Loss, Objective, in_one_pass
from ptycupy.model.parameters import Parameters, centred, download, is_scalar, upload
from ptycupy.reconstruction.memory import patterns_that_fit
from ptycupy.update.constraints import Context, make_constraint
from ptycupy.update.settings import Constraint

Indices = Sequence[int] | NDArray[np.integer[Any]]


def forward(
    problem: Problem, state: State, indices: Indices, backend: str | Backend = "auto", dtype: str = "float32"
) -> Any:
    """Model intensities (n, ky, kx) of the positions `indices`, beam in the centre, in the probe's units.

    Mixed-state multislice (PtyRAD paper, Eqs. 1-5) with 1e-10 added. Same kind of array as `state.probe`.
    Raises ConfigError or DataError where shapes or indices do not fit.
    """
    objective, parameters = _prepare(problem, state, {}, backend, dtype)
    patterns = objective.predict(parameters, objective.experiment.batch(indices))
    return like(state.probe, centred(patterns))


def loss_and_gradients(
    problem: Problem,
    state: State,
    indices: Indices,
    losses: Mapping[str, Any],
    backend: str | Backend = "auto",
    dtype: str = "float32",
    parameters: Sequence[str] | None = None,
) -> tuple[Loss, State]:
    """The loss of a batch and its gradients, as a State with the same fields.

    `losses` maps term names to their parameters, e.g. {"gaussian": {"weight": 1.0, "power": 0.5}}. `parameters`
    names the State fields whose gradients are wanted (default: all that it has); the others are None. Gradients of
    complex arrays are dL/dRe + i dL/dIm, tilts per mrad, shifts per px, thickness per angstrom.
    """
    present = [name for name, _ in state.items()]
    wanted = present if parameters is None else tuple(parameters)
    for name in wanted:
        if name not in FIELDS:
            raise ConfigError(f"parameters: {name!r} is no State field; known are {', '.join(FIELDS)}")
        if name not in present:
            raise ConfigError(f"parameters: {name} has no gradient, because this State has no {name}")
    objective, values_of = _prepare(problem, state, make_terms(losses), backend, dtype)
    batch = objective.experiment.batch(indices, least=1)
    device = objective.backend
    gradients = values_of.zeros_like(device, wanted)
    values = device.zeros((len(objective.terms),), np.float64)
    objective.accumulate(values_of, gradients, batch, values)
    return objective.loss(device.to_host(values)), _as_given(device, gradients, state)


def apply_constraint(
    name: str,
    problem: Problem,
    state: State,
    backend: str | Backend = "auto",
    dtype: str = "float32",
    **parameters: Any,
) -> State:
    """One constraint, as the loop applies it once per iteration; the given state is not changed.

    `parameters` are the constraint's own, see `ptycupy.update.constraints`. Raises ConfigError for unknown ones.
    """
    device = backends.select(backend, dtype) if isinstance(backend, str) else backend
    values = upload(device, state)
    constrain = make_constraint(Constraint(name, **parameters))
    corners = device.asarray(to_numpy(problem.corners, "corners"), np.int32)
    constrain(device, values, Context.of(device, problem, values, corners))
    return _as_given(device, values, state)


def _prepare(
    problem: Problem, state: State, terms: dict[str, Term], backend: str | Backend, dtype: str
) -> tuple[Objective, Parameters]:
    device = backends.select(backend, dtype) if isinstance(backend, str) else backend
    parameters = upload(device, state)
    experiment = place(device, problem, parameters)
    fields = [name for name, _ in parameters.items()]
    at_once = patterns_that_fit(device, parameters, experiment, fields, in_one_pass=in_one_pass(terms))
    return Objective(device, experiment, terms, at_once), parameters


def _as_given(device: Backend, values: Parameters, state: State) -> State:
    """Parameters or gradients as the kinds of arrays that `state` holds, None where there is none."""
    host = download(device, values, is_scalar(state.slice_thickness))
    given = {name: like(getattr(state, name), value) for name, value in host.items()}
    return State(**{name: given.get(name) for name in FIELDS})
