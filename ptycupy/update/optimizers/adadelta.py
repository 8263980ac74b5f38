"""Adadelta."""

from __future__ import annotations

from dataclasses import dataclass

from ptycupy.backends.interface import Array, Backend
from ptycupy.update.optimizers.interface import Moments, zeros


@dataclass(frozen=True)
class Adadelta:
    """Steps as large as recent steps were (Zeiler, arXiv:1212.5701) as torch.optim.Adadelta defines it; its own
    learning rate is 1."""

    rho: float = 0.9
    eps: float = 1e-6
    weight_decay: float = 0.0

    def init(self, backend: Backend, parameter: Array) -> Moments:
        return zeros(backend, parameter, "squares", "updates")

    def update(self, backend: Backend, parameter: Array, grad: Array, moments: Moments, learning_rate: float) -> None:
        moments.step += 1
        squares, updates = moments.arrays["squares"], moments.arrays["updates"]
        backend.adadelta(parameter, grad, squares, updates, learning_rate, self.rho, self.eps, self.weight_decay)
