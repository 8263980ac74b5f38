"""RMSprop."""

from __future__ import annotations

from dataclasses import dataclass

from ptycupy.backends.interface import Array, Backend
from ptycupy.update.optimizers.interface import Moments, zeros


@dataclass(frozen=True)
class RmsProp:
    """Steps over the root mean square of recent gradients (Tieleman and Hinton 2012; centred: Graves,
    arXiv:1308.0850) as torch.optim.RMSprop defines it."""

    alpha: float = 0.99
    eps: float = 1e-8
    weight_decay: float = 0.0
    momentum: float = 0.0
    centered: bool = False

    def init(self, backend: Backend, parameter: Array) -> Moments:
        optional = {"mean": self.centered, "buffer": self.momentum > 0}
        return zeros(backend, parameter, "squares", *(name for name, wanted in optional.items() if wanted))

    def update(self, backend: Backend, parameter: Array, grad: Array, moments: Moments, learning_rate: float) -> None:
        moments.step += 1
        squares, mean, buffer = (moments.arrays.get(name) for name in ("squares", "mean", "buffer"))
        factors = learning_rate, self.alpha, self.eps, self.momentum, self.weight_decay
        backend.rmsprop(parameter, grad, squares, mean, buffer, *factors)
