"""What makes a trial good: the numbers that a study minimises, from the engines of the trial."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.analysis import contrast_objective, fourier_ring_correlation
from ptycupy.errors import DataError
from ptycupy.experiment.optics import pair
from ptycupy.experiment.seeds import generator
from ptycupy.experiment.state import Problem
from ptycupy.model.losses import scope_of
from ptycupy.model.objective import Objective
from ptycupy.reconstruction.engine import Engine
from ptycupy.storage.snapshot import scanned_field


def held_out(problem: Problem, fraction: float, seed: int) -> NDArray[np.int32]:
    """Indices of the patterns that no gradient is to see: at least one, the same for the same seed.

    DataError where none would be left to reconstruct from.
    """
    count = problem.patterns.shape[0]
    used = np.arange(count) if problem.pattern_weights is None else np.flatnonzero(problem.pattern_weights)
    keep = max(1, round(fraction * len(used)))
    if keep >= len(used):
        raise DataError(f"tune.held_out_fraction: {fraction:g} of {len(used)} patterns leaves none to reconstruct from")
    chosen = generator(seed, "held-out patterns").choice(used, keep, replace=False)
    return np.sort(chosen).astype(np.int32)


def held_out_loss(engine: Engine, indices: NDArray[np.int32]) -> float:
    """The terms of the loss that compare with patterns, of these patterns as one batch."""
    backend, everywhere = engine.backend, np.ones(engine.experiment.positions, np.uint8)
    experiment = replace(engine.experiment, weights=backend.asarray(everywhere))
    terms = {name: term for name, term in engine.terms.items() if scope_of(term) != "object"}
    objective = Objective(backend, experiment, terms, engine.sub_batch)
    values = backend.zeros((len(terms),), np.float64)
    objective.accumulate(engine.parameters, engine.parameters.zeros_like(backend, set()), indices, values)
    return float(objective.loss(backend.to_host(values)).total)


def loss(engine: Engine) -> float:
    """The total loss of the last iteration."""
    return float(engine.history.total[-1])


def contrast(engine: Engine) -> float:
    """-sigma/mu of the phase summed over depth, of the mean object mode, in the scanned field."""
    backend = engine.backend
    phase = backend.to_host(engine.parameters.object_phase)
    return contrast_objective(phase, backend.to_host(engine.experiment.occupancy), _field(engine, engine.used))


def ring_correlation(even: Engine, odd: Engine, pixel_size: float | tuple[float, float] | None) -> float:
    """Minus the area under the Fourier ring correlation of the two halves' summed phases, up to Nyquist.

    In 1/angstrom, so that pixels of other sizes compare; of Nyquist without a pixel size. The images are registered.
    """
    every = np.arange(even.experiment.positions)
    images = [summed_phase(engine, every) for engine in (even, odd)]
    rows, columns = np.min([image.shape for image in images], axis=0)  # a canvas that grew may differ by a pixel
    first, second = (image[:rows, :columns] for image in images)
    found = fourier_ring_correlation(first, second, None if pixel_size is None else pair(pixel_size), register=True)
    ring = (found.nyquist_inverse_angstrom or 1.0) / len(found.correlation)
    return -float(found.correlation.sum() * ring)


def summed_phase(engine: Engine, positions: NDArray[np.integer[Any]] | None = None) -> NDArray[np.float64]:
    """[y, x] rad, of the mean object mode, in the field of these positions; null = those that are used."""
    phase = np.asarray(engine.backend.to_host(engine.parameters.object_phase), np.float64).sum(axis=1)
    weights = np.asarray(engine.backend.to_host(engine.experiment.occupancy), np.float64)
    summed: NDArray[np.float64] = np.tensordot(weights / weights.sum(), phase, 1)
    return summed[_field(engine, engine.used if positions is None else positions)]


def _field(engine: Engine, positions: NDArray[np.integer[Any]]) -> tuple[slice, slice]:
    corners = engine.backend.to_host(engine.experiment.corners)[positions]
    return scanned_field(corners, engine.parameters.window)


def mean_held_out_loss(engines: Sequence[Engine], indices: NDArray[np.int32]) -> float:
    """The same over engines that are halves."""
    return float(np.mean([held_out_loss(engine, indices) for engine in engines]))


def values(
    names: Sequence[str],
    engines: Sequence[Engine],
    kept: NDArray[np.int32] | None,
    pixel_size: float | tuple[float, float] | None,
) -> list[float]:
    """The objectives by their names, means over the engines where these are halves."""
    found = []
    for name in names:
        if name == "ring_correlation":
            even, odd = engines
            found.append(ring_correlation(even, odd, pixel_size))
        elif name == "held_out_loss":
            assert kept is not None
            found.append(mean_held_out_loss(engines, kept))
        else:
            measure = {"contrast": contrast, "loss": loss}[name]
            found.append(float(np.mean([measure(engine) for engine in engines])))
    return found
