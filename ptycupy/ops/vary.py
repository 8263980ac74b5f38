"""A probe that varies over the scan (orthogonal probe relaxation)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ptycupy.backends.interface import Array, Backend
from ptycupy.tape import Variable, accumulators


@dataclass(frozen=True)
class Vary:
    """waves [n, 1, p + v, y, x], weights [n, v] -> [n, 1, p, y, x]: the first mode + sum_v weights_v waves_(p + v).

    Odstrcil et al., Opt. Express 24, 8360 (2016). As in PtychoShelves, only the first of several modes varies.
    """

    backend: Backend

    def forward(self, waves: Array, weights: Array) -> tuple[Array, Any]:
        return self.backend.vary_forward(waves, weights), (waves, weights)

    def backward(self, grad: Array, saved: Any, wanted: Sequence[Variable | None]) -> tuple[Array, None]:
        (waves, weights), (grad_weights,) = saved, accumulators(wanted[1:])
        return self.backend.vary_backward(grad, waves, weights, grad_weights), None
