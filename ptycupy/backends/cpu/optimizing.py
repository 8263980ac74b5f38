"""Optimizer steps on the CPU backend."""

from __future__ import annotations

import math

from ptycupy.backends.cpu import adam as adam_op
from ptycupy.backends.cpu.memory import Memory, flat
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
        arrays = [flat(array).view(self.real) for array in (parameter, first, second, grad)]
        step_size = learning_rate / (1 - beta1**step)
        scalars = (1 - beta1, 1 - beta2, step_size, 1 / math.sqrt(1 - beta2**step), eps)
        adam_op.adam(*arrays, *(self.real.type(scalar) for scalar in scalars))


__all__ = ["Optimizing"]
