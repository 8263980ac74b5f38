"""Constraints on the object: blurs in plane and in depth, limits of amplitude and phase."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Literal

from ptycupy.backends.interface import Backend
from ptycupy.errors import ConfigError
from ptycupy.experiment.rows import Boundary, blur_matrix
from ptycupy.model.experiment import upload_rows
from ptycupy.model.parameters import Parameters
from ptycupy.ops import AxisFilter
from ptycupy.update.constraints.interface import Context


@dataclass(frozen=True)
class _Blur:
    """A separable Gaussian blur of one object array [o, z, Y, X] or both; `std` and `kernel_size` in samples."""

    obj_type: Literal["amplitude", "phase", "both"] = "both"
    kernel_size: int = 5
    std: float = 1.0
    relax: float = 0.0

    def __post_init__(self) -> None:
        if self.obj_type not in {"amplitude", "phase", "both"}:
            raise ConfigError(f"obj_type: {self.obj_type!r} must be amplitude, phase or both")

    def _along(self, backend: Backend, parameters: Parameters, axes: tuple[int, ...], boundary: Boundary) -> None:
        for name in ("amplitude", "phase") if self.obj_type == "both" else (self.obj_type,):
            field = blurred = getattr(parameters, f"object_{name}")
            with backend.arena():
                for axis in axes:
                    matrix = blur_matrix(field.shape[axis], self.std, self.kernel_size, boundary)
                    blurred, _ = AxisFilter(backend, axis, upload_rows(backend, matrix)).forward(blurred)
                backend.relax(blurred, field, self.relax)
                backend.copy(field, blurred)


@dataclass(frozen=True)
class LateralBlur(_Blur):
    """2-D Gaussian blur of every slice, std in px, reflecting at the edges (PtyRAD's obj_rblur)."""

    std: float = 0.4

    def __call__(self, backend: Backend, parameters: Parameters, context: Context) -> None:
        if self.std > 0:
            self._along(backend, parameters, (2, 3), "reflect")


@dataclass(frozen=True)
class DepthBlur(_Blur):
    """1-D Gaussian blur along depth, std in slices, edge slices repeated (PtyRAD's obj_zblur)."""

    def __call__(self, backend: Backend, parameters: Parameters, context: Context) -> None:
        if self.std > 0 and parameters.slices > 1:
            self._along(backend, parameters, (1,), "replicate")


@dataclass(frozen=True)
class AmplitudeThreshold:
    """Amplitude limited to [low, high] (PtyRAD's obja_thresh)."""

    thresh: tuple[float, float] = (0.98, 1.02)
    relax: float = 0.0

    def __post_init__(self) -> None:
        if not self.thresh[0] <= self.thresh[1]:
            raise ConfigError(f"thresh: {self.thresh} must be (low, high)")

    def __call__(self, backend: Backend, parameters: Parameters, context: Context) -> None:
        backend.clamp(parameters.object_amplitude, self.thresh[0], self.thresh[1], self.relax)


@dataclass(frozen=True)
class PositivePhase:
    """Phase of at least 0, negative values clipped (PtyRAD's objp_postiv)."""

    relax: float = 0.0
    mode: Literal["clip_neg"] = "clip_neg"

    def __call__(self, backend: Backend, parameters: Parameters, context: Context) -> None:
        backend.clamp(parameters.object_phase, 0.0, inf, self.relax)
