"""Adagrad."""

from __future__ import annotations

from dataclasses import dataclass

from ptycupy.backends.interface import Array, Backend
from ptycupy.update.optimizers.interface import Moments, filled


@dataclass(frozen=True)
class Adagrad:
    """Steps over the root of the sum of all squared gradients (Duchi, Hazan and Singer, JMLR 12, 2121, 2011) as
    torch.optim.Adagrad defines it."""

    lr_decay: float = 0.0
    weight_decay: float = 0.0
    initial_accumulator_value: float = 0.0
    eps: float = 1e-10

    def init(self, backend: Backend, parameter: Array) -> Moments:
        return Moments({"sum": filled(backend, parameter, self.initial_accumulator_value)})

    def update(self, backend: Backend, parameter: Array, grad: Array, moments: Moments, learning_rate: float) -> None:
        rate = learning_rate / (1 + moments.step * self.lr_decay)
        moments.step += 1
        backend.adagrad(parameter, grad, moments.arrays["sum"], rate, self.eps, self.weight_decay)
