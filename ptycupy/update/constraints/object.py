"""Constraints on the object: blurs in plane and in depth, limits and relations of amplitude and phase."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import ClassVar, Literal

from ptycupy.backends.interface import Array, Backend
from ptycupy.errors import ConfigError
from ptycupy.experiment.rows import Boundary, blur_matrix
from ptycupy.model.parameters import Parameters
from ptycupy.ops import AxisFilter
from ptycupy.update.constraints.fields import OnObject
from ptycupy.update.constraints.interface import Context, relaxed


def blur(
    backend: Backend, context: Context, field: Array, axes: tuple[int, ...], std: float, size: int, boundary: Boundary
) -> None:
    """A separable Gaussian blur of one object array [o, z, Y, X], in place; std and size in samples."""
    blurred = field
    for axis in axes:
        rows = context.rows(backend, blur_matrix, field.shape[axis], std, size, boundary)
        blurred, _ = AxisFilter(backend, axis, rows).forward(blurred)
    backend.copy(field, blurred)


@dataclass(frozen=True)
class LateralBlur(OnObject):
    """2-D Gaussian blur of every slice, std in px, reflecting at the edges (PtyRAD's obj_rblur)."""

    kernel_size: int = 5
    std: float = 0.4
    relax: float = 0.0

    @property
    def reach(self) -> int:
        """px"""
        return self.kernel_size // 2

    def __call__(self, backend: Backend, parameters: Parameters, context: Context) -> None:
        for field in self.fields(parameters) if self.std > 0 else ():
            with relaxed(backend, self.relax, field):
                blur(backend, context, field, (2, 3), self.std, self.kernel_size, "reflect")


@dataclass(frozen=True)
class DepthBlur(OnObject):
    """1-D Gaussian blur along depth, std in slices, edge slices repeated (PtyRAD's obj_zblur)."""

    reach: ClassVar[int] = 0
    kernel_size: int = 5
    std: float = 1.0
    relax: float = 0.0

    def __call__(self, backend: Backend, parameters: Parameters, context: Context) -> None:
        for field in self.fields(parameters) if self.std > 0 and parameters.slices > 1 else ():
            with relaxed(backend, self.relax, field):
                blur(backend, context, field, (1,), self.std, self.kernel_size, "replicate")


@dataclass(frozen=True)
class ComplexRatio(OnObject):
    """Amplitude and phase brought to one ratio C = sum |ln a| / sum |phi| of the whole object (PtyRAD's complex_ratio).

    a = exp((1 - alpha1) ln a - alpha1 C phi), phi = (1 - alpha2) phi - alpha2 ln a / C: the complex constraint of
    Clark et al., Opt. Lett. 35 (2010) 1981, for the positive phases of electrons.
    """

    reach: ClassVar[int] = 0
    alpha1: float = 1.0
    alpha2: float = 0.0
    relax: float = 0.0

    def __call__(self, backend: Backend, parameters: Parameters, context: Context) -> None:
        amplitude, phase = parameters.object_amplitude, parameters.object_phase
        new_amplitude = None if self.obj_type == "phase" else amplitude
        new_phase = None if self.obj_type == "amplitude" else phase
        with relaxed(backend, self.relax, amplitude, phase):
            sums = context.ratio_sums(backend, amplitude, phase)
            backend.apply_ratio(new_amplitude, new_phase, amplitude, phase, sums, self.alpha1, self.alpha2)


@dataclass(frozen=True)
class MirroredAmplitude:
    """Amplitude 1 - scale max(phase, 0)^power: what scatters also absorbs (PtyRAD's mirrored_amp)."""

    changes: ClassVar[tuple[str, ...]] = ("object_amplitude", "object_phase")
    reach: ClassVar[int] = 0
    recordable: ClassVar[bool] = True

    relax: float = 0.1
    scale: float = 0.03
    power: float = 4.0

    def __call__(self, backend: Backend, parameters: Parameters, context: Context) -> None:
        backend.mirror(parameters.object_amplitude, parameters.object_phase, self.scale, self.power, self.relax)


@dataclass(frozen=True)
class AmplitudeThreshold:
    """Amplitude limited to [low, high] (PtyRAD's obja_thresh)."""

    changes: ClassVar[tuple[str, ...]] = ("object_amplitude", "object_phase")
    reach: ClassVar[int] = 0
    recordable: ClassVar[bool] = True

    thresh: tuple[float, float] = (0.98, 1.02)
    relax: float = 0.0

    def __post_init__(self) -> None:
        if not self.thresh[0] <= self.thresh[1]:
            raise ConfigError(f"thresh: {self.thresh} must be (low, high)")

    def __call__(self, backend: Backend, parameters: Parameters, context: Context) -> None:
        backend.clamp(parameters.object_amplitude, self.thresh[0], self.thresh[1], self.relax)


@dataclass(frozen=True)
class PositivePhase:
    """Phase of at least 0 (PtyRAD's objp_postiv): negative values clipped, or the smallest value of all subtracted."""

    changes: ClassVar[tuple[str, ...]] = ("object_amplitude", "object_phase")
    reach: ClassVar[int] = 0

    relax: float = 0.0
    mode: Literal["clip_neg", "subtract_min"] = "clip_neg"

    def __post_init__(self) -> None:
        if self.mode not in {"clip_neg", "subtract_min"}:
            raise ConfigError(f"mode: {self.mode!r} must be clip_neg or subtract_min")

    @property
    def recordable(self) -> bool:
        """The host looks for the smallest value."""
        return self.mode == "clip_neg"

    def __call__(self, backend: Backend, parameters: Parameters, context: Context) -> None:
        phase = parameters.object_phase
        if self.mode == "clip_neg":
            backend.clamp(phase, 0.0, inf, self.relax)
            return
        with backend.arena():
            least = context.least(float(backend.to_host(backend.ranked(phase, phase.size, False))[0]))
            planes = phase.reshape(-1, *parameters.canvas)
            backend.subtract_ramp(planes, (1 - self.relax) * least, (0.0, 0.0), (0.0, 0.0))
