"""Settings: how a reconstruction updates its parameters. Frozen; needs nothing but Python."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ptycupy.errors import ConfigError
from ptycupy.experiment.state import FIELDS

GROUPINGS = ("random", "compact", "sparse")


@dataclass(frozen=True)
class Active:
    """The iterations in which something happens: start, start + step, ... before end (exclusive; None = for ever)."""

    start: int = 1
    step: int = 1
    end: int | None = None

    def __post_init__(self) -> None:
        if self.step < 1:
            raise ConfigError(f"step: {self.step} must be at least 1")

    def __contains__(self, iteration: object) -> bool:
        if not isinstance(iteration, int) or iteration < self.start:
            return False
        return (self.end is None or iteration < self.end) and (iteration - self.start) % self.step == 0


@dataclass(frozen=True, init=False)
class Constraint:
    """One constraint by name, or an object of one's own called with (backend, parameters, context); when it runs
    (end exclusive), and the parameters that a name takes.

    Constraint("depth_blur", start=1, step=1, end=None, std=1.0)
    """

    name: Any
    active: Active
    parameters: Mapping[str, Any]

    def __init__(self, name: Any, start: int = 1, step: int = 1, end: int | None = None, **parameters: Any) -> None:
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "active", Active(start, step, end))
        object.__setattr__(self, "parameters", dict(parameters))


@dataclass(frozen=True)
class Settings:
    """How to reconstruct. `learning_rates` keys are State field names; a field that is absent is fixed.

    `windows` says in which iterations a field is refined (default: all). The defaults of losses, rates and
    constraints as a whole are the paper's and live in the configuration's schema.
    """

    losses: Mapping[str, Any]
    optimizer: Any = "adam"  # a name, or an object with init(...) and update(...), or with advance(work)
    learning_rates: Mapping[str, float] = field(default_factory=dict)
    schedule: Any = None  # a function iteration -> factor on every learning rate, or what make_schedule makes
    constraints: tuple[Constraint, ...] | list[Constraint] = ()
    batch_size: int = 16
    grouping: str = "random"
    seed: int = 0
    windows: Mapping[str, Active] = field(default_factory=dict)
    gradient_accumulation: int = 1  # batches per step; the mean of their losses, as PtyRAD
    sub_batch: int | None = None  # patterns at once; None = as memory allows. The batch's loss stays exact.
    on_divergence: str = "stop"  # stop | halve_lr | continue
    schedules: Mapping[str, Any] = field(default_factory=dict)  # of single fields, instead of `schedule`

    def __post_init__(self) -> None:
        by_field = {"learning_rates": self.learning_rates, "windows": self.windows, "schedules": self.schedules}
        for where, names in by_field.items():
            for name in names:
                if name not in FIELDS:
                    raise ConfigError(f"{where}.{name}: not a State field; known are {', '.join(FIELDS)}")
        for name, rate in self.learning_rates.items():
            if not rate >= 0:
                raise ConfigError(f"learning_rates.{name}: {rate} must be a number of at least 0")
        for name in ("batch_size", "gradient_accumulation", "sub_batch"):
            count = getattr(self, name)
            if count is not None and count < 1:
                raise ConfigError(f"{name}: {count} must be at least 1")
        if self.grouping not in GROUPINGS:
            raise ConfigError(f"grouping: {self.grouping!r} is unknown, it must be one of {', '.join(GROUPINGS)}")
        if self.on_divergence not in {"stop", "halve_lr", "continue"}:
            raise ConfigError(f"on_divergence: {self.on_divergence!r} must be stop, halve_lr or continue")
