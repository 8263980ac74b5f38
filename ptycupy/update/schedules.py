"""Schedules: factors on every learning rate, as torch.optim.lr_scheduler defines them.

A schedule is a function of where the reconstruction is, without state of its own, so that a resumed run gets the same
factors. Where torch has absolute rates, such as eta_min, these are relative: the configured rate of each parameter is
1, torch's max_lr or initial lr. Cycles change learning rates alone, not momenta.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

from ptycupy.config.registered import make, plain_name
from ptycupy.errors import ConfigError


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
        done = progress.iteration - 1
        return self.curve(done if self.step_unit == "iteration" else done * progress.updates + progress.update)


@dataclass(frozen=True)
class Constant:
    """`factor` for the first `total` steps, then 1 (ConstantLR)."""

    factor: float = 1 / 3
    total: int = 5

    def __call__(self, step: int) -> float:
        return self.factor if step < self.total else 1.0


@dataclass(frozen=True)
class Linear:
    """From `start` to `end` in `total` steps (LinearLR)."""

    start: float = 1 / 3
    end: float = 1.0
    total: int = 5

    def __call__(self, step: int) -> float:
        return self.start + (self.end - self.start) * min(step, self.total) / self.total


@dataclass(frozen=True)
class Step:
    """Times gamma after every so many steps (StepLR)."""

    every: int
    gamma: float = 0.1

    def __call__(self, step: int) -> float:
        return float(self.gamma ** (step // self.every))


@dataclass(frozen=True)
class Multistep:
    """Times gamma at each milestone (MultiStepLR)."""

    milestones: tuple[int, ...]
    gamma: float = 0.1

    def __call__(self, step: int) -> float:
        return float(self.gamma ** sum(step >= milestone for milestone in self.milestones))


@dataclass(frozen=True)
class Exponential:
    """Times gamma at every step (ExponentialLR)."""

    gamma: float

    def __call__(self, step: int) -> float:
        return float(self.gamma**step)


@dataclass(frozen=True)
class Polynomial:
    """(1 - step / total)^power, then 0 (PolynomialLR)."""

    total: int = 5
    power: float = 1.0

    def __call__(self, step: int) -> float:
        return float((1 - min(step, self.total) / self.total) ** self.power)


@dataclass(frozen=True)
class Cosine:
    """From 1 to `least` in `total` steps along a cosine, and back again (CosineAnnealingLR)."""

    total: int
    least: float = 0.0

    def __call__(self, step: int) -> float:
        return _between("cos", 1.0, self.least, step / self.total)


@dataclass(frozen=True)
class CosineRestarts:
    """A cosine from 1 to `least` in `first` steps, begun again with each period `growth` times as long
    (CosineAnnealingWarmRestarts)."""

    first: int
    growth: int = 1
    least: float = 0.0

    def __call__(self, step: int) -> float:
        period = self.first
        while step >= period and self.growth > 1:
            step, period = step - period, period * self.growth
        return _between("cos", 1.0, self.least, step % period / period)


@dataclass(frozen=True)
class OneCycle:
    """From 1 / start_division up to 1 in the share `rise` of `total` steps, then down to 1 / (start_division
    end_division); with three_phase by way of where it began (OneCycleLR). It stays at its end."""

    total: int
    rise: float = 0.3
    shape: Literal["cos", "linear"] = "cos"
    start_division: float = 25.0
    end_division: float = 1e4
    three_phase: bool = False

    def __call__(self, step: int) -> float:
        low, end = 1 / self.start_division, 1 / (self.start_division * self.end_division)
        top = self.rise * self.total - 1
        phases = [(top, low, 1.0), (self.total - 1.0, 1.0, end)]
        if self.three_phase:
            back = 2 * self.rise * self.total - 2
            phases = [(top, low, 1.0), (back, 1.0, low), (self.total - 1.0, low, end)]
        begun = 0.0
        for until, first, last in phases:
            if step <= until:
                return _between(self.shape, first, last, (step - begun) / (until - begun))
            begun = until
        return end


@dataclass(frozen=True)
class Cyclic:
    """Between `least` and 1, `up` steps to rise and `down` to fall; the height of a cycle halves each time
    (triangular2) or falls as gamma^step (exp_range) (CyclicLR)."""

    least: float
    up: int = 2000
    down: int | None = None
    shape: Literal["triangular", "triangular2", "exp_range"] = "triangular"
    gamma: float = 1.0

    def __call__(self, step: int) -> float:
        length = self.up + (self.up if self.down is None else self.down)
        cycle, share = divmod(step, length)
        height = share / self.up if share <= self.up else (length - share) / (length - self.up)
        scale = {"triangular": 1.0, "triangular2": 0.5**cycle, "exp_range": self.gamma**step}[self.shape]
        return self.least + (1 - self.least) * height * scale


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


def _between(shape: str, first: float, last: float, share: float) -> float:
    if shape == "cos":
        return last + (first - last) / 2 * (1 + math.cos(math.pi * share))
    return first + (last - first) * share


__all__ = ["SCHEDULES", "Plateau", "Progress", "Schedule", "make_schedule"]
