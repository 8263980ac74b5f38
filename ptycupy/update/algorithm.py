"""What an update is given, and the algorithms that make one: gradient steps here, others beside it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, is_dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, cast, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ptycupy.backends.interface import Array, Backend
from ptycupy.errors import ConfigError, MemoryShortage
from ptycupy.model.experiment import Experiment
from ptycupy.model.parameters import Parameters
from ptycupy.model.ranks import ALONE, Ranks

if TYPE_CHECKING:  # the package imports algorithms, which import this
    from ptycupy.update.optimizers.interface import Moments, Optimizer, Repeatable


class Evaluate(Protocol):
    """Sets `gradients` to those of the batches' mean loss, and its argument as `values`; only the fields that are
    named, where some are: without any, it is a forward pass alone."""

    def __call__(self, values: Array, names: Collection[str] | None = None) -> None: ...


@dataclass(frozen=True)
class Work:
    """One update: some batches, what they say of the parameters, and what may be changed in place."""

    backend: Backend
    experiment: Experiment
    parameters: Parameters
    gradients: Parameters  # what `evaluate` fills; None where a field is not refined
    moments: dict[str, Moments]  # by State field, kept from update to update, saved and restored
    rates: dict[str, float]  # learning rates of the fields that are refined now, all above 0
    batches: Sequence[NDArray[np.int32]]
    values: Array  # [batches, terms] float64: terms of the loss before the update
    evaluate: Evaluate
    loss: Callable[[Array], float]  # the weighted mean loss of values as `evaluate` leaves them
    sub_batch: Callable[[], int]  # patterns that the device takes at once, as found out so far
    make_smaller: Callable[[MemoryShortage], None]  # halves it for another try; raises the error where it is 1
    factors: dict[str, float]  # by State field, of schedules and divergences; the rates have them in them already
    last: bool  # whether the iteration ends with this update
    momenta: dict[str, float] = field(default_factory=dict)  # by State field, where a schedule moves them
    numbers: Mapping[str, Array] | None = None  # by State field, of a Repeatable optimizer that is to use them
    ranks: Ranks = ALONE  # who share the update; `evaluate` gives each of them the sums of all


@runtime_checkable
class Algorithm(Protocol):
    """Changes the parameters once for some batches. A user's own is an object of this shape."""

    def advance(self, work: Work) -> None:
        """One update in place; leaves the loss before it in `work.values`."""
        ...


@dataclass(frozen=True)
class GradientSteps:
    """One gradient, then one step of an optimizer for each parameter by itself."""

    optimizer: Optimizer

    def advance(self, work: Work) -> None:
        work.evaluate(work.values)
        self.move(work, work.rates)

    def move(self, work: Work, names: Iterable[str]) -> None:
        """One step of these fields along their gradients, which `evaluate` has found."""
        for name in names:
            parameter, grad = getattr(work.parameters, name), getattr(work.gradients, name)
            if work.numbers is None:
                self.step(work.backend, name, parameter, grad, work.moments, work.rates[name], work.momenta.get(name))
            else:
                optimizer = cast("Repeatable", self.optimizer)
                optimizer.repeat(work.backend, parameter, grad, work.moments[name], work.numbers[name])

    def step(
        self,
        backend: Backend,
        name: str,
        parameter: Array,
        grad: Array,
        moments: dict[str, Moments],
        rate: float,
        momentum: float | None,
    ) -> None:
        """One step of one field; its memory is begun at the first."""
        optimizer = self.optimizer if momentum is None else with_momentum(self.optimizer, momentum)
        if name not in moments:
            moments[name] = optimizer.init(backend, parameter)
        optimizer.update(backend, parameter, grad, moments[name], rate)


def with_momentum(optimizer: Any, momentum: float) -> Any:
    """The optimizer with another momentum, which is beta1 where it has one; ConfigError where it has neither."""
    for name in ("beta1", "momentum"):
        if is_dataclass(optimizer) and hasattr(optimizer, name):
            changed: Any = replace(optimizer, **{name: momentum})  # type: ignore[type-var]
            return changed
    raise without_momentum(optimizer)


def without_momentum(optimizer: Any) -> ConfigError:
    """What an optimizer raises whose momentum a schedule should move, but that has none."""
    name = type(optimizer).__name__
    return ConfigError(f"optimizer {name}: has no momentum that a schedule could move; leave out its momenta")


def make_algorithm(optimizer: Any) -> Algorithm:
    """The optimizer itself where it is an algorithm, else gradient steps with it."""
    return optimizer if isinstance(optimizer, Algorithm) else GradientSteps(optimizer)
