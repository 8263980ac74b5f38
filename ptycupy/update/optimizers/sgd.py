"""Stochastic gradient descent."""

from __future__ import annotations

from dataclasses import dataclass

from ptycupy.backends.interface import Array, Backend
from ptycupy.errors import ConfigError
from ptycupy.update.optimizers.interface import Moments, zeros


@dataclass(frozen=True)
class Sgd:
    """Gradient descent with momentum (Sutskever et al., ICML 2013) as torch.optim.SGD defines it.

    Raises ConfigError for Nesterov's momentum without momentum, or with dampening.
    """

    momentum: float = 0.0
    dampening: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        if self.nesterov and (self.momentum <= 0 or self.dampening != 0):
            raise ConfigError("sgd: nesterov needs a momentum above 0 and no dampening")

    def init(self, backend: Backend, parameter: Array) -> Moments:
        return zeros(backend, parameter, *(("buffer",) if self.momentum != 0 else ()))

    def update(self, backend: Backend, parameter: Array, grad: Array, moments: Moments, learning_rate: float) -> None:
        moments.step += 1
        fresh = 1.0 if moments.step == 1 else 1 - self.dampening
        ahead, weight = (1.0, self.momentum) if self.nesterov else (0.0, 1.0)
        factors = learning_rate, self.momentum, fresh, ahead, weight, self.weight_decay
        backend.sgd(parameter, grad, moments.arrays.get("buffer"), *factors)
