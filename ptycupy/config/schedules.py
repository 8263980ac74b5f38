"""Schedules of the learning rates: their names, and the options that each of them has."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, field_validator, model_validator

from ptycupy.config.base import Count, Positive, Section, described
from ptycupy.config.registered import plain_name, registered

Factor = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(gt=0, lt=1)]

Momentum = Annotated[float, Field(ge=0, lt=1)]

SCHEDULE_GROUP = "ptycupy.schedules"
TOTAL = "Steps that it takes."
LEAST = "Least factor."
GAMMA = "What the factor is multiplied by."
MOMENTA = "Momentum (Adam: beta1) at the highest and at the lowest rate, between which it moves; null = it stays."


class Constant(Section):
    """One factor at first, then 1."""

    factor: Factor = described(1 / 3, "The first factor.")
    total: Count = described(5, TOTAL)


class Linear(Section):
    """A straight line, then its end."""

    start: Factor = described(1 / 3, "The first factor.")
    end: Factor = described(1.0, "The last factor.")
    total: Count = described(5, TOTAL)


class Step(Section):
    """Falls by gamma every so many steps."""

    every: Count = Field(description="Steps between falls.", examples=[50])
    gamma: Positive = described(0.1, GAMMA)


class Multistep(Section):
    """Falls by gamma at milestones."""

    milestones: tuple[int, ...] = Field(description="Steps after which it falls.", examples=[[50, 100]])
    gamma: Positive = described(0.1, GAMMA)


class Exponential(Section):
    """Falls by gamma at every step."""

    gamma: Positive = Field(description=GAMMA, examples=[0.98])


class Polynomial(Section):
    """Falls to 0 as a power of the steps that are left."""

    total: Count = described(5, TOTAL)
    power: Positive = described(1.0, "The power.")


class Cosine(Section):
    """Half a period of a cosine."""

    total: Count = Field(description=TOTAL, examples=[200])
    least: Factor = described(0.0, LEAST)


class CosineRestarts(Section):
    """Half a period of a cosine, again and again."""

    first: Count = Field(description="Steps of the first period.", examples=[20])
    growth: Count = described(1, "How many times as long every further period is.")
    least: Factor = described(0.0, LEAST)


class OneCycle(Section):
    """Up and down once."""

    total: Count = Field(description=TOTAL, examples=[200])
    rise: Share = described(0.3, "Share of the steps that goes up.")
    shape: Literal["cos", "linear"] = described("cos", "How it goes up and down.")
    start_division: Positive = described(25.0, "The first factor is 1 over this.")
    end_division: Positive = described(1e4, "The last factor is the first one over this.")
    three_phase: bool = described(False, "Go down to the first factor in the same time as up, and only then further.")
    momenta: tuple[Momentum, Momentum] | None = described(None, MOMENTA, example=[0.85, 0.95])


class Cyclic(Section):
    """Up and down again and again."""

    least: Factor = Field(description=LEAST, examples=[0.1])
    up: Count = described(2000, "Steps up.")
    down: Count | None = described(None, "Steps down; null = as many as up.")
    shape: Literal["triangular", "triangular2", "exp_range"] = described(
        "triangular", "All cycles alike, each half as high, or falling by gamma at every step."
    )
    gamma: Positive = described(1.0, GAMMA)
    momenta: tuple[Momentum, Momentum] | None = described(None, MOMENTA, example=[0.8, 0.9])


class Listed(Section):
    """The factors themselves, one for each step; the last one stays."""

    factors: tuple[Factor, ...] = Field(description="Factors of the steps.", examples=[[1.0, 0.5, 0.1]], min_length=1)


class Plateau(Section):
    """Falls when the loss no longer does; counts iterations."""

    factor: Share = described(0.1, GAMMA)
    patience: int = described(10, "Iterations without progress that are allowed.", ge=0)
    threshold: Factor = described(1e-4, "Progress that counts.")
    threshold_mode: Literal["rel", "abs"] = described("rel", "Relative to the best loss, or absolute.")
    cooldown: int = described(0, "Iterations after a fall that are not judged.", ge=0)
    least: Factor = described(0.0, LEAST)


OPTIONS: dict[str, type[Section]] = {
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

TORCH_NAMES = {
    "ConstantLR": "constant",
    "LinearLR": "linear",
    "StepLR": "step",
    "MultiStepLR": "multistep",
    "ExponentialLR": "exponential",
    "PolynomialLR": "polynomial",
    "CosineAnnealingLR": "cosine",
    "CosineAnnealingWarmRestarts": "cosine_restarts",
    "OneCycleLR": "one_cycle",
    "CyclicLR": "cyclic",
    "ReduceLROnPlateau": "plateau",
}


class Schedule(Section):
    """How learning rates change as it goes; the options of the named schedule stand beside its name."""

    model_config = ConfigDict(extra="allow")

    name: str = Field(description=f"One of {', '.join(OPTIONS)}, or torch's name of it.", examples=["plateau"])
    step_unit: Literal["iteration", "batch"] = described("iteration", "What a step is: an iteration, or an update.")

    @property
    def options(self) -> dict[str, Any]:
        """What is given of the named schedule's own options."""
        return dict(self.model_extra or {})

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        return registered(TORCH_NAMES.get(name, plain_name(name, OPTIONS)), tuple(OPTIONS), SCHEDULE_GROUP)

    @model_validator(mode="after")
    def _right_options(self) -> Schedule:
        if self.name in OPTIONS:
            OPTIONS[self.name].model_validate(self.options)
        return self
