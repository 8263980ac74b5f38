"""Constraints that prefer a smooth object: steps down total variation and the square of the gradient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ptycupy.backends.interface import Backend
from ptycupy.errors import ConfigError
from ptycupy.experiment.rows import diffusion_matrix
from ptycupy.model.parameters import Parameters
from ptycupy.ops import AxisFilter
from ptycupy.update.constraints.fields import OnObject
from ptycupy.update.constraints.interface import Context, relaxed

LARGEST_STEP = 0.25  # beyond it a step along one axis makes neighbours overshoot each other


@dataclass(frozen=True)
class TotalVariation(OnObject):
    """The proximal step of total variation, sum sqrt((w d_y)^2 + (w d_x)^2 + (w_z d_z)^2): noise goes, edges stay.

    weight_lateral (per px) and weight_depth (per slice) are w and w_z, in units of the field: differences much larger
    than that survive. `iterations` of the dual (Rudin, Osher and Fatemi 1992; Chambolle 2004; see Backend.denoise).
    """

    weight_lateral: float = 1e-3
    weight_depth: float = 0.0
    iterations: int = 10
    relax: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.weight_lateral, self.weight_depth) < 0 or self.weight_lateral == self.weight_depth == 0:
            raise ConfigError(
                f"total_variation: weight_lateral {self.weight_lateral} and weight_depth {self.weight_depth} must be "
                "at least 0, and one of them positive"
            )

    @property
    def reach(self) -> int:
        """px"""
        return self.iterations + 1

    def __call__(self, backend: Backend, parameters: Parameters, context: Context) -> None:
        for field in self.fields(parameters):
            with relaxed(backend, self.relax, field):
                backend.denoise(field, self.weight_lateral, self.weight_depth, self.iterations)


@dataclass(frozen=True)
class Tikhonov(OnObject):
    """A gradient step down 1/2 sum (w ((d_y)^2 + (d_x)^2) + w_z (d_z)^2), one axis after the other (Tikhonov 1963).

    weight_lateral and weight_depth are w and w_z, each 0 to 0.25: then no step overshoots.
    """

    reach: ClassVar[int] = 1
    weight_lateral: float = 0.05
    weight_depth: float = 0.0
    relax: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("weight_lateral", "weight_depth"):
            if not 0 <= getattr(self, name) <= LARGEST_STEP:
                raise ConfigError(f"tikhonov: {name} {getattr(self, name)} must be 0 to {LARGEST_STEP}")

    def __call__(self, backend: Backend, parameters: Parameters, context: Context) -> None:
        axes = ((1, self.weight_depth), (2, self.weight_lateral), (3, self.weight_lateral))
        for field in self.fields(parameters):
            with relaxed(backend, self.relax, field):
                smooth = field
                for axis, weight in axes:
                    rows = context.rows(backend, diffusion_matrix, field.shape[axis], weight)
                    smooth, _ = AxisFilter(backend, axis, rows).forward(smooth)
                backend.copy(field, smooth)
