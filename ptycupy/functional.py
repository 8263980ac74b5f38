"""The array-level public functions: patterns, losses with gradients, and single constraints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycupy import backends
from ptycupy.backends.exchange import like, to_numpy
from ptycupy.backends.interface import Backend
from ptycupy.errors import ConfigError, DataError
from ptycupy.experiment.state import FIELDS, Problem, State
from ptycupy.model.experiment import place
from ptycupy.model.losses import make_terms
from ptycupy.model.objective import Objective
from ptycupy.model.parameters import Parameters, download, upload
from ptycupy.reconstruction.engine import Loss, centred
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
    patterns = centred(objective.predict(parameters, _checked(indices, objective)))
    return like(state.probe, patterns)


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
    names the State fields whose gradients are wanted (default: all six); the others are None. Gradients of complex
    arrays are dL/dRe + i dL/dIm, tilts per mrad, shifts per px, thickness per angstrom.
    """
    wanted = FIELDS if parameters is None else tuple(parameters)
    for name in wanted:
        if name not in FIELDS:
            raise ConfigError(f"parameters: {name!r} is no State field; known are {', '.join(FIELDS)}")
    objective, values_of = _prepare(problem, state, losses, backend, dtype)
    device = objective.backend
    gradients = Parameters(**{n: device.zeros(a.shape, a.dtype) if n in wanted else None for n, a in values_of.items()})
    values = device.zeros((len(objective.terms),), np.float64)
    objective.accumulate(values_of, gradients, _checked(indices, objective), values)
    found = device.to_host(values)
    terms = {n: t.weight * float(v) for (n, t), v in zip(objective.terms.items(), found, strict=True)}
    arrays: dict[str, Any] = {}
    for name, grad in gradients.items():
        if grad is None:
            arrays[name] = None
            continue
        host = np.array(device.to_host(grad))
        if name == "slice_thickness" and np.ndim(to_numpy(state.slice_thickness)) == 0:
            host = host[0]
        arrays[name] = like(getattr(state, name), host)
    return Loss(sum(terms.values()), terms), State(**arrays)


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
    host = _host(state)
    values = upload(device, host)
    with device.arena():
        power = float(device.to_host(device.total_power(values.probe))[0])
    size = problem.pixel_size
    pixel_size = None if size is None else (float(np.ravel(size)[0]), float(np.ravel(size)[-1]))
    context = Context(power, problem.scan_shape, pixel_size, problem.wavelength)
    make_constraint(Constraint(name, **parameters))(device, values, context)
    new = download(device, values, host)
    return State(**{field: like(getattr(state, field), value) for field, value in new.items()})


def _prepare(
    problem: Problem, state: State, losses: Mapping[str, Any], backend: str | Backend, dtype: str
) -> tuple[Objective, Parameters]:
    device = backends.select(backend, dtype) if isinstance(backend, str) else backend
    parameters = upload(device, _host(state))
    experiment = place(device, _host_problem(problem), parameters)
    terms = make_terms(losses) if losses else {}
    return Objective(device, experiment, terms, patterns_that_fit(device, parameters, experiment)), parameters


def _host(state: State) -> State:
    return State(**{name: to_numpy(value) for name, value in state.items()})


def _host_problem(problem: Problem) -> Problem:
    arrays: dict[str, Any] = {
        name: to_numpy(value)
        for name in ("corners", "object_occupancy", "mask", "pattern_scale", "pattern_weights")
        if (value := getattr(problem, name)) is not None
    }
    patterns = problem.patterns if hasattr(problem.patterns, "slabs") else to_numpy(problem.patterns)
    return replace(problem, patterns=patterns, **arrays)


def _checked(indices: Indices, objective: Objective) -> NDArray[np.int32]:
    array = np.ascontiguousarray(to_numpy(indices), dtype=np.int32).ravel()
    count = objective.experiment.positions
    wrong = array[(array < 0) | (array >= count)]
    if wrong.size:
        raise DataError(f"indices {wrong[:5].tolist()} are outside 0..{count - 1}")
    if len(np.unique(array)) != len(array):
        raise DataError("indices: a position may stand in a batch only once")
    return array
