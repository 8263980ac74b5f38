"""Curves of the learning rate over steps, numbered from 0: factors on every rate, as torch.optim.lr_scheduler has them.

Where torch has absolute rates, such as eta_min, these are relative: the configured rate of each parameter is 1, torch's
max_lr or initial lr. One cycle and cycles may move the momentum, which is Adam's beta1, against the rate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Momenta = tuple[float, float]  # at the highest rate, and at the lowest


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
class Listed:
    """One factor after the other, then the last (LambdaLR and MultiplicativeLR, whose functions are code)."""

    factors: tuple[float, ...]

    def __call__(self, step: int) -> float:
        return self.factors[min(step, len(self.factors) - 1)]


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
    momenta: Momenta | None = None

    def __call__(self, step: int) -> float:
        low = 1 / self.start_division
        return self._along(step, low, 1.0, low / self.end_division)

    def momentum(self, step: int) -> float | None:
        """The momentum of this step; None where it is not moved."""
        return None if self.momenta is None else self._along(step, self.momenta[1], *self.momenta)

    def _along(self, step: int, first: float, top: float, end: float) -> float:
        risen, whole = self.rise * self.total - 1, self.total - 1.0
        phases = [(risen, first, top), (whole, top, end)]
        if self.three_phase:
            phases = [(risen, first, top), (2 * self.rise * self.total - 2, top, first), (whole, first, end)]
        begun = 0.0
        for until, before, after in phases:
            if step <= until:
                return _between(self.shape, before, after, (step - begun) / (until - begun))
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
    momenta: Momenta | None = None

    def __call__(self, step: int) -> float:
        return self.least + (1 - self.least) * self._height(step)

    def momentum(self, step: int) -> float | None:
        """The momentum of this step; None where it is not moved."""
        if self.momenta is None:
            return None
        at_top, at_bottom = self.momenta
        return at_bottom + (at_top - at_bottom) * self._height(step)

    def _height(self, step: int) -> float:
        length = self.up + (self.up if self.down is None else self.down)
        cycle, share = divmod(step, length)
        height = share / self.up if share <= self.up else (length - share) / (length - self.up)
        return height * {"triangular": 1.0, "triangular2": 0.5**cycle, "exp_range": self.gamma**step}[self.shape]


def _between(shape: str, first: float, last: float, share: float) -> float:
    if shape == "cos":
        return last + (first - last) / 2 * (1 + math.cos(math.pi * share))
    return first + (last - first) * share
