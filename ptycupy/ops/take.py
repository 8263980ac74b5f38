"""Rows of a table of per-position parameters (shifts, tilts) for the positions of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ptycupy.backends.interface import Array, Backend
from ptycupy.tape import Variable


@dataclass(frozen=True)
class Take:
    """table [N, c] -> table[indices] [n, c]."""

    backend: Backend
    indices: Array  # [n] int32, unique

    def forward(self, table: Array) -> tuple[Array, None]:
        return self.backend.take_forward(table, self.indices), None

    def backward(self, grad: Array, saved: None, wanted: Sequence[Variable | None]) -> tuple[None]:
        if wanted[0] is not None:
            self.backend.take_backward(grad, self.indices, wanted[0].accumulator())
        return (None,)
