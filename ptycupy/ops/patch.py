"""Patches of a real field of the object at the windows of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ptycupy.backends.interface import Array, Backend
from ptycupy.tape import Variable


@dataclass(frozen=True)
class Patch:
    """field [o, z, Y, X] -> patches [n, o, z, y, x]."""

    backend: Backend
    window: tuple[int, int]
    corners: Array  # [N, 2] int32 px
    indices: Array  # [n] int32

    def forward(self, field: Array) -> tuple[Array, None]:
        return self.backend.patch_forward(field, self.window, self.corners, self.indices), None

    def backward(self, grad: Array, saved: None, wanted: Sequence[Variable | None]) -> tuple[None]:
        if wanted[0] is not None:
            self.backend.patch_backward(grad, self.corners, self.indices, wanted[0].accumulator())
        return (None,)
