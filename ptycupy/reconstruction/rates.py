"""Which fields an engine moves, and how far: learning rates by settings, schedules and earlier divergences."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from ptycupy.model.parameters import Parameters
from ptycupy.update.schedules import Progress
from ptycupy.update.settings import Active

if TYPE_CHECKING:
    from ptycupy.reconstruction.engine import Engine

ALWAYS = Active()


def refined_fields(engine: Engine, iteration: int) -> set[str]:
    """The State fields that an iteration refines."""
    slices = engine.parameters.slices
    idle = () if slices > 1 else ("tilts", "slice_thickness")  # one slice: tilt and thickness have no effect
    return {n for n, _ in engine.parameters.items() if n not in idle and base_rate(engine, n, iteration) > 0}


def rates_of(engine: Engine, gradients: Parameters, progress: Progress) -> dict[str, float]:
    """Learning rates above 0 of the fields that have a gradient."""
    found = {name: rate(engine, name, progress) for name, _ in gradients.items()}
    return {name: value for name, value in found.items() if value > 0}


def rate(engine: Engine, name: str, progress: Progress) -> float:
    """The learning rate of a field; 0 where it is fixed."""
    return base_rate(engine, name, progress.iteration) * engine.plan.factor(name, progress)


def base_rate(engine: Engine, name: str, iteration: int) -> float:
    """Before the schedule."""
    if iteration not in engine.settings.windows.get(name, ALWAYS):
        return 0.0
    return engine.settings.learning_rates.get(name, 0.0) * engine.learning_rate_factor


def progress_of(engine: Engine, iteration: int, batches_done: int, batches: int) -> Progress:
    """Where the engine is in an iteration, as schedules see it."""
    accumulated = engine.settings.gradient_accumulation
    losses = engine.history.total[: bisect_left(engine.history.iterations, iteration)]
    return Progress(iteration, batches_done // accumulated, -(-batches // accumulated), losses)
