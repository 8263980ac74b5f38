"""Adam, AMSGrad and AdamW."""

from __future__ import annotations

from dataclasses import dataclass

from ptycupy.backends.bias import corrected
from ptycupy.backends.interface import Array, Backend
from ptycupy.update.optimizers.interface import Moments, zeros


@dataclass(frozen=True)
class Adam:
    """Dense Adam (Kingma and Ba, arXiv:1412.6980, algorithm 1) as torch.optim.Adam defines it.

    With `amsgrad` the second moment never falls (Reddi et al., arXiv:1904.09237). Complex parameters have a second
    moment per real and imaginary part.
    """

    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 0.0
    amsgrad: bool = False

    def init(self, backend: Backend, parameter: Array) -> Moments:
        return zeros(backend, parameter, "first", "second", *(("largest",) if self.amsgrad else ()))

    def update(self, backend: Backend, parameter: Array, grad: Array, moments: Moments, learning_rate: float) -> None:
        moments.step += 1
        self._step(backend, parameter, grad, moments, learning_rate, moments.step, self._keep(learning_rate), None)

    def numbers(self, step: int, learning_rate: float) -> tuple[float, float, float]:
        return *corrected(learning_rate, step, self.beta1, self.beta2), self._keep(learning_rate)

    def repeat(self, backend: Backend, parameter: Array, grad: Array, moments: Moments, numbers: Array) -> None:
        self._step(backend, parameter, grad, moments, 0.0, 1, 1.0, numbers)

    def _step(
        self,
        backend: Backend,
        parameter: Array,
        grad: Array,
        moments: Moments,
        learning_rate: float,
        step: int,
        keep: float,
        numbers: Array | None,
    ) -> None:
        first, second, largest = (moments.arrays.get(name) for name in ("first", "second", "largest"))
        at = learning_rate, step, self.beta1, self.beta2, self.eps
        backend.adam(parameter, grad, first, second, *at, largest, self._decay(), keep, numbers)

    def _decay(self) -> float:
        """What is added to the gradient, times the parameter."""
        return self.weight_decay

    def _keep(self, learning_rate: float) -> float:
        """What multiplies the parameter before a step."""
        return 1.0


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter, arXiv:1711.05101) as torch.optim.AdamW defines it."""

    weight_decay: float = 1e-2

    def _decay(self) -> float:
        return 0.0

    def _keep(self, learning_rate: float) -> float:
        return 1 - learning_rate * self.weight_decay
