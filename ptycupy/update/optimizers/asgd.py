"""Averaged gradient descent."""

from __future__ import annotations

from dataclasses import dataclass

from ptycupy.backends.interface import Array, Backend
from ptycupy.update.optimizers.interface import Moments, zeros


@dataclass(frozen=True)
class Asgd:
    """Gradient descent that also averages its parameters from step t0 on (Polyak and Juditsky, SIAM J. Control 30,
    838, 1992) as torch.optim.ASGD defines it. The average is kept in its memory; the parameters are not averaged."""

    lambd: float = 1e-4
    alpha: float = 0.75
    t0: float = 1e6
    weight_decay: float = 0.0

    def init(self, backend: Backend, parameter: Array) -> Moments:
        return zeros(backend, parameter, "average")

    def update(self, backend: Backend, parameter: Array, grad: Array, moments: Moments, learning_rate: float) -> None:
        eta = moments.scalars.get("eta", learning_rate)
        weight = 1 / max(1.0, moments.step - self.t0)
        keep = 1 - self.lambd * eta
        backend.asgd(parameter, grad, moments.arrays["average"], eta, keep, weight, self.weight_decay)
        moments.step += 1
        moments.scalars["eta"] = learning_rate / (1 + self.lambd * learning_rate * moments.step) ** self.alpha
