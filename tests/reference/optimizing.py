"""The protocol's optimizing in complex128 NumPy."""

from __future__ import annotations

import numpy as np

from ptycupy.backends.interface import Array
from reference.memory import Memory


class Optimizing(Memory):
    def adam(
        self,
        parameter: Array,
        grad: Array,
        first: Array,
        second: Array,
        learning_rate: float,
        step: int,
        beta1: float,
        beta2: float,
        eps: float,
    ) -> None:
        if np.iscomplexobj(parameter):
            parameter, grad, first, second = (a.view(a.real.dtype) for a in (parameter, grad, first, second))
        first[...] = beta1 * first + (1 - beta1) * grad
        second[...] = beta2 * second + (1 - beta2) * grad**2
        root = np.sqrt(second / (1 - beta2**step)) + eps
        parameter -= learning_rate * first / (1 - beta1**step) / root
