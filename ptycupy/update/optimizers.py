"""Optimizers: init makes the memory of one parameter, update is one elementwise kernel on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from ptycupy.backends.interface import Array, Backend
from ptycupy.config import registered
from ptycupy.config.registered import make


@dataclass
class Moments:
    """Device memory of one parameter: first and second moment, and how many steps were taken."""

    first: Array
    second: Array
    step: int = 0


class Optimizer(Protocol):
    """A user's own optimizer is an object of this shape; a class registered as `ptycupy.optimizers` makes one."""

    def init(self, backend: Backend, parameter: Array) -> Moments:
        """The memory of one parameter: two arrays of its own shape, which are saved, restored and grow with it."""
        ...

    def update(self, backend: Backend, parameter: Array, grad: Array, moments: Moments, learning_rate: float) -> None:
        """One step in place."""
        ...


@dataclass(frozen=True)
class Adam:
    """Dense Adam (Kingma and Ba, arXiv:1412.6980, algorithm 1) as torch.optim.Adam defines it.

    Complex parameters have a second moment per real and imaginary part.
    """

    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8

    def init(self, backend: Backend, parameter: Array) -> Moments:
        return Moments(backend.zeros(parameter.shape, parameter.dtype), backend.zeros(parameter.shape, parameter.dtype))

    def update(self, backend: Backend, parameter: Array, grad: Array, moments: Moments, learning_rate: float) -> None:
        moments.step += 1
        backend.adam(
            parameter,
            grad,
            moments.first,
            moments.second,
            learning_rate,
            moments.step,
            self.beta1,
            self.beta2,
            self.eps,
        )


OPTIMIZERS = {"adam": Adam}


def make_optimizer(optimizer: Any, **options: Any) -> Optimizer:
    """An optimizer by name with its options, or the given object; ConfigError for an unknown name or option.

    A package registers its own as `ptycupy.optimizers`: a callable that takes the options and makes an Optimizer.
    """
    if not isinstance(optimizer, str):
        found: Optimizer = optimizer
        return found
    name = optimizer.lower() if optimizer.lower() in OPTIMIZERS else optimizer
    made: Optimizer = make(f"optimizer {optimizer}", name, options, OPTIMIZERS, registered.OPTIMIZERS)
    return made
