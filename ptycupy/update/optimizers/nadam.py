"""Adam with Nesterov momentum."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ptycupy.backends.interface import Array, Backend
from ptycupy.update.optimizers.interface import Moments, zeros


@dataclass(frozen=True)
class NAdam:
    """Adam with Nesterov momentum (Dozat, ICLR 2016 workshop) as torch.optim.NAdam defines it."""

    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 0.0
    momentum_decay: float = 4e-3
    decoupled_weight_decay: bool = False

    def init(self, backend: Backend, parameter: Array) -> Moments:
        moments = zeros(backend, parameter, "first", "second")
        moments.scalars["momentum_product"] = 1.0
        return moments

    def update(self, backend: Backend, parameter: Array, grad: Array, moments: Moments, learning_rate: float) -> None:
        moments.step += 1
        momentum, following = (self._momentum(step) for step in (moments.step, moments.step + 1))
        moments.scalars["momentum_product"] *= momentum
        product = moments.scalars["momentum_product"]
        grad_rate = learning_rate * (1 - momentum) / (1 - product)
        first_rate = learning_rate * following / (1 - product * following)
        root_scale = 1 / math.sqrt(1 - self.beta2**moments.step)
        decay, keep = decays(self.weight_decay, self.decoupled_weight_decay, learning_rate)
        rates = grad_rate, first_rate, root_scale, self.beta1, self.beta2, self.eps
        backend.nadam(parameter, grad, moments.arrays["first"], moments.arrays["second"], *rates, decay, keep)

    def _momentum(self, step: int) -> float:
        return self.beta1 * (1 - 0.5 * math.exp(step * self.momentum_decay * math.log(0.96)))


def decays(weight_decay: float, decoupled: bool, learning_rate: float) -> tuple[float, float]:
    """(what is added to the gradient per parameter, what multiplies the parameter) for either kind of decay."""
    return (0.0, 1 - learning_rate * weight_decay) if decoupled else (weight_decay, 1.0)
