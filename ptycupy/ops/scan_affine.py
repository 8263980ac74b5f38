"""One affine distortion of the whole scan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ptycupy.backends.interface import Array, Backend
from ptycupy.tape import Variable


@dataclass(frozen=True)
class ScanAffine:
    """shifts [n, 2] px, affine [4] -> shifts + (A(affine) - 1) applied to the nominal positions, as row vectors.

    A = (1 + affine_0) diag(1 + affine_1 / 2, 1 - affine_1 / 2) rotation(affine_2) shear(affine_3), degrees, as
    `experiment.scan.affine_matrix`.
    """

    backend: Backend
    nominal: Array  # [N, 2] px about their mean
    indices: Array  # [n] int32

    def forward(self, shifts: Array, affine: Array) -> tuple[Array, Any]:
        return self.backend.scan_affine_forward(shifts, self.nominal, self.indices, affine), affine

    def backward(self, grad: Array, saved: Any, wanted: Sequence[Variable | None]) -> tuple[Array, None]:
        if wanted[1] is not None:
            self.backend.scan_affine_backward(grad, self.nominal, self.indices, saved, wanted[1].accumulator())
        return grad, None
