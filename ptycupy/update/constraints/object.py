"""Constraints on the object: blurs in plane and in depth, limits of amplitude and phase."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Literal

from ptycupy.backends.interface import Array, Backend
from ptycupy.experiment.rows import Boundary, blur_matrix
from ptycupy.model.experiment import upload_rows
from ptycupy.model.parameters import Parameters
from ptycupy.ops import AxisFilter
from ptycupy.update.constraints.interface import Context

Field = Literal["amplitude", "phase", "both"]


def chosen(parameters: Parameters, obj_type: Field) -> list[Array]:
    """The object arrays [o, z, Y, X] that `obj_type` names."""
    names = ("amplitude", "phase") if obj_type == "both" else (obj_type,)
    return [getattr(parameters, f"object_{name}") for name in names]


def _blur(backend: Backend, field: Array, axis: int, std: float, kernel_size: int, boundary: Boundary) -> Array:
    matrix = blur_matrix(field.shape[axis], std, kernel_size, boundary)
    blurred, _ = AxisFilter(backend, axis, upload_rows(backend, matrix)).forward(field)
    return blurred


@dataclass(frozen=True)
class LateralBlur:
    """2-D Gaussian blur of every slice, std in px, reflecting at the edges (PtyRAD's obj_rblur)."""

    obj_type: Field = "both"
    kernel_size: int = 5
    std: float = 0.4
    relax: float = 0.0

    def __call__(self, backend: Backend, parameters: Parameters, context: Context) -> None:
        for field in chosen(parameters, self.obj_type) if self.std > 0 else ():
            with backend.arena():
                blurred = _blur(backend, field, 2, self.std, self.kernel_size, "reflect")
                blurred = _blur(backend, blurred, 3, self.std, self.kernel_size, "reflect")
                backend.relax(blurred, field, self.relax)
                backend.copy(field, blurred)


@dataclass(frozen=True)
class DepthBlur:
    """1-D Gaussian blur along depth, std in slices, edge slices repeated (PtyRAD's obj_zblur)."""

    obj_type: Field = "both"
    kernel_size: int = 5
    std: float = 1.0
    relax: float = 0.0

    def __call__(self, backend: Backend, parameters: Parameters, context: Context) -> None:
        several = parameters.slices > 1 and self.std > 0
        for field in chosen(parameters, self.obj_type) if several else ():
            with backend.arena():
                blurred = _blur(backend, field, 1, self.std, self.kernel_size, "replicate")
                backend.relax(blurred, field, self.relax)
                backend.copy(field, blurred)


@dataclass(frozen=True)
class AmplitudeThreshold:
    """Amplitude limited to [low, high] (PtyRAD's obja_thresh)."""

    thresh: tuple[float, float] = (0.98, 1.02)
    relax: float = 0.0

    def __call__(self, backend: Backend, parameters: Parameters, context: Context) -> None:
        backend.clamp(parameters.object_amplitude, self.thresh[0], self.thresh[1], self.relax)


@dataclass(frozen=True)
class PositivePhase:
    """Phase of at least 0, negative values clipped (PtyRAD's objp_postiv)."""

    relax: float = 0.0
    mode: Literal["clip_neg"] = "clip_neg"

    def __call__(self, backend: Backend, parameters: Parameters, context: Context) -> None:
        backend.clamp(parameters.object_phase, 0.0, inf, self.relax)
