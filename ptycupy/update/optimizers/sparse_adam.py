"""Adam that leaves alone what the batch does not see."""

from __future__ import annotations

from dataclasses import dataclass

from ptycupy.backends.interface import Array, Backend
from ptycupy.update.optimizers.interface import Moments, zeros


@dataclass(frozen=True)
class SparseAdam:
    """Adam where the gradient is not zero, as torch.optim.SparseAdam defines it; one step count per parameter.

    The support is the gradient's own: object pixels under the windows of the batch, positions of the batch, and
    whatever a loss term of the whole object reaches. Elsewhere the gradient is exactly 0, and neither parameter nor
    moments move. A number under a window whose gradient is exactly 0 counts as not seen; it has nothing to learn.
    """

    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8

    def init(self, backend: Backend, parameter: Array) -> Moments:
        return zeros(backend, parameter, "first", "second")

    def update(self, backend: Backend, parameter: Array, grad: Array, moments: Moments, learning_rate: float) -> None:
        moments.step += 1
        first, second = moments.arrays["first"], moments.arrays["second"]
        at = learning_rate, moments.step, self.beta1, self.beta2, self.eps
        backend.sparse_adam(parameter, grad, first, second, *at)
