"""Rectified Adam."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ptycupy.backends.interface import Array, Backend
from ptycupy.update.optimizers.interface import Moments, zeros
from ptycupy.update.optimizers.nadam import decays


@dataclass(frozen=True)
class RAdam:
    """Adam whose steps are plain momentum until the second moment is known well enough (Liu et al.,
    arXiv:1908.03265, algorithm 2), as torch.optim.RAdam defines it."""

    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 0.0
    decoupled_weight_decay: bool = False

    def init(self, backend: Backend, parameter: Array) -> Moments:
        return zeros(backend, parameter, "first", "second")

    def update(self, backend: Backend, parameter: Array, grad: Array, moments: Moments, learning_rate: float) -> None:
        moments.step += 1
        step = moments.step
        step_size = learning_rate / (1 - self.beta1**step)
        second_rest = 1 - self.beta2**step
        longest = 2 / (1 - self.beta2) - 1
        length = longest - 2 * step * self.beta2**step / second_rest
        plain_rate, adaptive_rate = step_size, 0.0
        if length > 5:
            square = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
            plain_rate, adaptive_rate = 0.0, step_size * math.sqrt(square * second_rest)
        decay, keep = decays(self.weight_decay, self.decoupled_weight_decay, learning_rate)
        rates = plain_rate, adaptive_rate, self.beta1, self.beta2, self.eps, decay, keep
        backend.radam(parameter, grad, moments.arrays["first"], moments.arrays["second"], *rates)
