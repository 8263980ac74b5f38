"""Schedules: what multiplies learning rates as a reconstruction goes on.

A schedule is a function of where the reconstruction is, without state of its own, so that a resumed run gets the same
factors.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

from ptycupy.config.registered import make, plain_name
from ptycupy.errors import ConfigError
from ptycupy.update.curves import (
    Constant,
    Cosine,
    CosineRestarts,
    Cyclic,
    Exponential,
    Linear,
    Listed,
    Multistep,
    OneCycle,
    Polynomial,
    Step,
)


@dataclass(frozen=True)
class Progress:
    """Where a reconstruction is before an update."""

    iteration: int  # from 1
    update: int  # updates already made in this iteration
    updates: int  # of a whole iteration
    losses: Sequence[float]  # mean loss of every finished iteration


@runtime_checkable
class Schedule(Protocol):
    """A user's own schedule is an object of this shape, or a function iteration -> factor."""

    def factor(self, progress: Progress) -> float:
        """What multiplies every learning rate now; at least 0."""
        ...


@runtime_checkable
class MovesMomentum(Protocol):
    """A schedule that sets the optimizer's momentum too (Adam: beta1)."""

    def momentum(self, progress: Progress) -> float | None:
        """The momentum now; None leaves it as configured."""
        ...


@dataclass(frozen=True)
class PerIteration:
    """A function of the iteration, numbered from 1."""

    function: Callable[[int], float]

    def factor(self, progress: Progress) -> float:
        return float(self.function(progress.iteration))


@dataclass(frozen=True)
class Stepped:
    """A curve over the iterations, or updates, that are done."""

    curve: Callable[[int], float]
    step_unit: Literal["iteration", "batch"] = "iteration"

    def factor(self, progress: Progress) -> float:
        return self.curve(self._step(progress))

    def momentum(self, progress: Progress) -> float | None:
        return self.curve.momentum(self._step(progress)) if isinstance(self.curve, OneCycle | Cyclic) else None

    def _step(self, progress: Progress) -> int:
        done = progress.iteration - 1
        return done if self.step_unit == "iteration" else done * progress.updates + progress.update


@dataclass(frozen=True)
class Plateau:
    """Times `factor` when the iteration's loss has not fallen by `threshold` for more than `patience` iterations,
    but not below `least` (ReduceLROnPlateau). Always counts iterations."""

    factor: float = 0.1
    patience: int = 10
    threshold: float = 1e-4
    threshold_mode: Literal["rel", "abs"] = "rel"
    cooldown: int = 0
    least: float = 0.0

    def of(self, losses: Sequence[float]) -> float:
        """The factor after these iterations."""
        best, bad, cooling, found = math.inf, 0, 0, 1.0
        for loss in losses:
            wanted = best * (1 - self.threshold) if self.threshold_mode == "rel" else best - self.threshold
            best, bad = (loss, 0) if loss < wanted else (best, bad + 1)
            if cooling > 0:
                cooling, bad = cooling - 1, 0
            if bad > self.patience:
                found, cooling, bad = max(found * self.factor, self.least), self.cooldown, 0
        return found


@dataclass(frozen=True)
class _OfLosses:
    plateau: Plateau

    def factor(self, progress: Progress) -> float:
        return self.plateau.of(progress.losses)


@dataclass(frozen=True)
class Plan:
    """The schedule of every State field: its own, or the one of all."""

    common: Schedule
    own: Mapping[str, Schedule]

    def factor(self, name: str, progress: Progress) -> float:
        """What multiplies the learning rate of a field now."""
        return self.own.get(name, self.common).factor(progress)

    def momenta(self, names: Iterable[str], progress: Progress) -> dict[str, float]:
        """The momentum of those fields whose schedule moves it."""
        schedules = {name: self.own.get(name, self.common) for name in names}
        found = {
            name: schedule.momentum(progress)
            for name, schedule in schedules.items()
            if isinstance(schedule, MovesMomentum)
        }
        return {name: momentum for name, momentum in found.items() if momentum is not None}


SCHEDULES: dict[str, Callable[..., Any]] = {
    "constant": Constant,
    "linear": Linear,
    "step": Step,
    "multistep": Multistep,
    "exponential": Exponential,
    "polynomial": Polynomial,
    "cosine": Cosine,
    "cosine_restarts": CosineRestarts,
    "one_cycle": OneCycle,
    "cyclic": Cyclic,
    "plateau": Plateau,
    "listed": Listed,
}


def make_schedule(schedule: Any, step_unit: Literal["iteration", "batch"] = "iteration", **options: Any) -> Schedule:
    """A schedule by name with its options, from a function iteration -> factor, from None, or the given object.

    Raises ConfigError for an unknown name or option, or something that is none of these.
    """
    if schedule is None:
        return PerIteration(lambda iteration: 1.0)
    if isinstance(schedule, str):
        curve = make(f"schedule {schedule}", plain_name(schedule, SCHEDULES), options, SCHEDULES, "ptycupy.schedules")
        return _OfLosses(curve) if isinstance(curve, Plateau) else Stepped(curve, step_unit)
    if isinstance(schedule, Schedule):
        return schedule
    if callable(schedule):
        return PerIteration(schedule)
    raise ConfigError(f"schedule: {schedule!r} must be a name, a function iteration -> factor, or have `factor`")


__all__ = ["SCHEDULES", "MovesMomentum", "Plan", "Plateau", "Progress", "Schedule", "make_schedule"]
