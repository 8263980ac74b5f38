"""Constraints on the scan positions and on the tilts at them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ptycupy.backends.interface import Backend
from ptycupy.errors import ConfigError
from ptycupy.experiment.rows import blur_matrix
from ptycupy.model.parameters import Parameters
from ptycupy.ops import AxisFilter
from ptycupy.update.constraints.interface import Context, relaxed

TILT_KERNEL_SIZE = 5  # PtyRAD's


@dataclass(frozen=True)
class PositionRecentring:
    """Mean shift of all positions removed (PtyRAD's pos_recenter): object and probe may not drift together."""

    changes: ClassVar[tuple[str, ...]] = ("shifts",)
    recordable: ClassVar[bool] = True

    relax: float = 0.0

    def __call__(self, backend: Backend, parameters: Parameters, context: Context) -> None:
        backend.recentre(parameters.shifts, self.relax)


@dataclass(frozen=True)
class TiltSmoothing:
    """Tilts blurred over the scan, std in scan positions, reflecting at the edges (PtyRAD's tilt_smooth)."""

    changes: ClassVar[tuple[str, ...]] = ("tilts",)
    recordable: ClassVar[bool] = True

    std: float = 2.0
    relax: float = 0.0

    def __call__(self, backend: Backend, parameters: Parameters, context: Context) -> None:
        tilts, shape = parameters.tilts, context.scan_shape
        if shape is None:
            raise ConfigError("constraint tilt_smoothing: it needs scan_shape, the rows and columns of the scan")
        if tilts.shape[0] != shape[0] * shape[1]:
            raise ConfigError(
                f"constraint tilt_smoothing: {tilts.shape[0]} tilts, but a scan of {shape[0]} x {shape[1]}; "
                "it needs one tilt per position"
            )
        if self.std == 0:
            return
        with relaxed(backend, self.relax, tilts):
            smooth = tilts.reshape(*shape, 2)
            for axis in (0, 1):
                rows = context.rows(backend, blur_matrix, shape[axis], self.std, TILT_KERNEL_SIZE, "reflect")
                smooth, _ = AxisFilter(backend, axis, rows).forward(smooth)
            backend.copy(tilts, smooth.reshape(tilts.shape))
