"""Adam with the infinity norm."""

from __future__ import annotations

from dataclasses import dataclass

from ptycupy.backends.interface import Array, Backend
from ptycupy.update.optimizers.interface import Moments, zeros


@dataclass(frozen=True)
class Adamax:
    """Adam with the largest recent gradient in place of its root mean square (Kingma and Ba, arXiv:1412.6980,
    algorithm 2) as torch.optim.Adamax defines it."""

    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 0.0

    def init(self, backend: Backend, parameter: Array) -> Moments:
        return zeros(backend, parameter, "first", "largest")

    def update(self, backend: Backend, parameter: Array, grad: Array, moments: Moments, learning_rate: float) -> None:
        moments.step += 1
        step_size = learning_rate / (1 - self.beta1**moments.step)
        factors = step_size, self.beta1, self.beta2, self.eps, self.weight_decay
        backend.adamax(parameter, grad, moments.arrays["first"], moments.arrays["largest"], *factors)
