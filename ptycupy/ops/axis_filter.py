"""A sparse matrix along one axis: crop, resampling and blur of the detector, and blurs of the object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from ptycupy.backends.interface import Array, Backend
from ptycupy.tape import Variable


@dataclass(frozen=True)
class Rows:
    """A sparse matrix by rows, and its transpose by rows; unused taps have weight 0."""

    indices: Array  # [k, taps] int32
    weights: Array  # [k, taps]
    transposed_indices: Array  # [m, taps] int32
    transposed_weights: Array  # [m, taps]


@dataclass(frozen=True)
class AxisFilter:
    """values [..., m, ...] -> [..., k, ...] along `axis`."""

    backend: Backend
    axis: int
    rows: Rows

    def forward(self, values: Array) -> tuple[Array, None]:
        return self._along(values, self.rows.indices, self.rows.weights), None

    def backward(self, grad: Array, saved: None, wanted: Sequence[Variable | None]) -> tuple[Array]:
        return (self._along(grad, self.rows.transposed_indices, self.rows.transposed_weights),)

    def _along(self, values: Array, indices: Array, weights: Array) -> Array:
        before, after = values.shape[: self.axis], values.shape[self.axis + 1 :]
        flat = values.reshape(prod(before), values.shape[self.axis], prod(after))
        out = self.backend.axis_filter(flat, indices, weights)
        return out.reshape(*before, indices.shape[0], *after)
