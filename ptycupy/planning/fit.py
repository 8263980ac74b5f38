"""What one pattern takes of a device's memory while its gradient is computed."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, cast

import numpy as np

from ptycupy.backends.interface import Backend
from ptycupy.model.experiment import Experiment
from ptycupy.model.losses import make_terms
from ptycupy.model.objective import Objective
from ptycupy.model.parameters import Parameters
from ptycupy.planning.backend import shaped, twin_of

SMALL = 8192  # bytes of one pattern's ramps, partial sums and indices, which are not counted one by one


def bytes_per_pattern(
    backend: Backend, parameters: Parameters, experiment: Experiment, refined: Collection[str]
) -> int:
    """Bytes of the waves, spectra and patterns that one position keeps alive until the gradients of the fields
    `refined` are known: those of the objective's own code, run on shapes."""
    few, many = (_scratch(backend, parameters, experiment, refined, patterns) for patterns in (2, 6))
    return -(-(many - few) // 4) + SMALL


def _scratch(
    backend: Backend, parameters: Parameters, experiment: Experiment, refined: Collection[str], patterns: int
) -> int:
    """Bytes of all scratch for the gradient of so many patterns."""
    counted = twin_of(backend)
    device = cast(Backend, counted)
    values, known = cast(Parameters, shaped(parameters)), cast(Experiment, shaped(experiment))
    known.feed = known.places = None  # shapes need no feeding, and may be more than a small scan has
    terms: dict[str, Any] = make_terms({"gaussian": {}, "poisson": {}})  # of one alone, patterns could go one by one
    indices = np.arange(patterns, dtype=np.int32)
    gradients = values.zeros_like(device, refined)
    Objective(device, known, terms).accumulate(values, gradients, indices, device.zeros((len(terms),), np.float64))
    return counted.arena_bytes() + counted.plan_bytes()


__all__ = ["bytes_per_pattern"]
