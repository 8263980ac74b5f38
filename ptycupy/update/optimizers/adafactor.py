"""Adafactor."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ptycupy.backends.interface import Array, Backend
from ptycupy.update.optimizers.interface import Moments, real_shape


@dataclass(frozen=True)
class Adafactor:
    """Second moments as the product of a row and a column (Shazeer and Stern, arXiv:1804.04235, algorithm 6) as
    torch.optim.Adafactor defines it; steps are relative to the parameter's own size.

    The last two axes are the matrix. A complex parameter is torch's view_as_real, whose last axis are real and
    imaginary part. The default eps1 is float32's machine epsilon, as torch's is that of the parameter.
    """

    beta2_decay: float = -0.8
    eps1: float = 2.0**-23
    eps2: float = 1e-3
    d: float = 1.0
    weight_decay: float = 0.0

    def init(self, backend: Backend, parameter: Array) -> Moments:
        *outer, last = real_shape(backend, parameter)
        if not outer:
            return Moments({"variance": backend.zeros((last,), backend.real)})
        rows, columns = (*outer, 1), (*outer[:-1], 1, last)
        return Moments({"rows": backend.zeros(rows, backend.real), "columns": backend.zeros(columns, backend.real)})

    def update(self, backend: Backend, parameter: Array, grad: Array, moments: Moments, learning_rate: float) -> None:
        moments.step += 1
        fresh = moments.step**self.beta2_decay
        rate = min(learning_rate, 1 / math.sqrt(moments.step))
        keep = 1 - learning_rate * self.weight_decay
        columns = moments.arrays.get("columns")
        rows = moments.arrays["variance" if columns is None else "rows"]
        with backend.arena():
            factors = rate, fresh, self.eps1, self.eps2, self.d, keep
            backend.adafactor(parameter, grad, rows, columns, *factors)
