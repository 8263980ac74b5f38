"""Optimizers: init makes the memory of one parameter, update is one elementwise kernel on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from ptycupy.backends.interface import Array, Backend
from ptycupy.errors import ConfigError


@dataclass
class Moments:
    """Device memory of one parameter: first and second moment, and how many steps were taken."""

    first: Array
    second: Array
    step: int = 0


class Optimizer(Protocol):
    """A user's own optimizer is an object of this shape."""

    def init(self, backend: Backend, parameter: Array) -> Moments: ...

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
    """An optimizer by name with its options, or the given object; ConfigError for an unknown name."""
    if not isinstance(optimizer, str):
        found: Optimizer = optimizer
        return found
    if optimizer.lower() not in OPTIMIZERS:
        raise ConfigError(f"optimizer {optimizer!r}: unknown; known are {', '.join(OPTIMIZERS)}")
    return OPTIMIZERS[optimizer.lower()](**options)
