"""Two stacks of waves as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ptycupy.backends.interface import Array, Backend
from ptycupy.tape import Variable


@dataclass(frozen=True)
class Stack:
    """first [a, y, x], second [b, y, x] -> [a + b, y, x]."""

    backend: Backend

    def forward(self, first: Array, second: Array) -> tuple[Array, int]:
        count = first.shape[0]
        stacked = self.backend.empty((count + second.shape[0], *first.shape[1:]), first.dtype)
        self.backend.copy(stacked[:count], first)
        self.backend.copy(stacked[count:], second)
        return stacked, count

    def backward(self, grad: Array, saved: int, wanted: Sequence[Variable | None]) -> tuple[None, None]:
        for target, part in zip(wanted, (grad[:saved], grad[saved:]), strict=True):
            if target is not None:
                self.backend.add(target.accumulator(), part)
        return None, None
