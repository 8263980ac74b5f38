"""An engine that begins with what an optimizer remembered of an earlier reconstruction."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.errors import ConfigError, DataError
from ptycupy.experiment.results.memory import Memory, load_memory
from ptycupy.update.algorithm import GradientSteps
from ptycupy.update.optimizers import Moments

if TYPE_CHECKING:
    from ptycupy.reconstruction.engine import Engine

log = logging.getLogger(__name__)
KEY = "optimizer.memory_path"


def adopt_memory(engine: Engine, path: str) -> None:
    """Sets the moments of the fields that are refined to those of the file; those that it lacks begin without any.

    ConfigError for an algorithm without moments of each field; DataError where the memory is that of another optimizer
    or of parameters of another shape.
    """
    if engine.tiles is not None:
        raise ConfigError(f"{KEY}: it is of the whole object, not of tiles; take distributed.object: shared")
    if not isinstance(engine.algorithm, GradientSteps):
        raise ConfigError(f"{KEY}: {type(engine.algorithm).__name__} keeps no memory of this kind; leave it out")
    found = load_memory(path, KEY)
    for name, rate in engine.settings.learning_rates.items():
        if rate > 0 and name in found:
            engine.moments[name] = _moments(engine, name, found[name], path)
        elif rate > 0:
            log.info("%s: %s has no memory of %s", KEY, path, name)


def _moments(engine: Engine, name: str, memory: Memory, path: str) -> Moments:
    algorithm = engine.algorithm
    assert isinstance(algorithm, GradientSteps)
    parameter = getattr(engine.parameters, name)
    empty = algorithm.optimizer.init(engine.backend, parameter)
    if set(memory.arrays) != set(empty.arrays):
        raise DataError(
            f"{KEY}: {path}: remembers {_listed(memory.arrays)} of {name}, where {type(algorithm.optimizer).__name__} "
            f"remembers {_listed(empty.arrays)}: it is from another optimizer"
        )
    arrays = {}
    for key, there in empty.arrays.items():
        shape, dtype = tuple(there.shape), np.dtype(there.dtype)
        values = _as(memory.arrays[key], dtype)
        if values.size != np.prod(shape) or (values.ndim == len(shape) and values.shape != shape):
            raise DataError(f"{KEY}: {path}: {key} of {name} has the shape {values.shape}; {shape} is needed here")
        arrays[key] = engine.backend.asarray(np.ascontiguousarray(values.reshape(shape)))
    return Moments(arrays, empty.scalars | memory.scalars, memory.step)


def _as(values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Values of this type; real and imaginary parts on a last axis become complex where they should be."""
    if dtype.kind == "c" and values.dtype.kind == "f" and values.shape[-1:] == (2,):
        values = values[..., 0] + 1j * values[..., 1]
    return values.astype(dtype)


def _listed(arrays: dict[str, Any]) -> str:
    return ", ".join(sorted(arrays)) or "nothing"
