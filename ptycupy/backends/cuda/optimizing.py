"""Optimizer steps on the CUDA backend."""

from __future__ import annotations

import math

from ptycupy.backends.cuda.memory import Memory
from ptycupy.backends.interface import Array


class Optimizing(Memory):
    """Optimizer steps, in place."""

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
        values, first, second, grad = (self._reals(a) for a in (parameter, first, second, grad))
        step_size, root_scale = learning_rate / (1 - beta1**step), 1 / math.sqrt(1 - beta2**step)
        factors = (step_size, root_scale, beta1, 1 - beta1, beta2, 1 - beta2, eps)
        self._launch("adam", values.size, values, first, second, grad, *factors, values.size)


__all__ = ["Optimizing"]
