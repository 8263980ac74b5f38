"""Constraints on the scan positions."""

from __future__ import annotations

from dataclasses import dataclass

from ptycupy.backends.interface import Backend
from ptycupy.model.parameters import Parameters
from ptycupy.update.constraints.interface import Context


@dataclass(frozen=True)
class PositionRecentring:
    """Mean shift of all positions removed (PtyRAD's pos_recenter): object and probe may not drift together."""

    relax: float = 0.0

    def __call__(self, backend: Backend, parameters: Parameters, context: Context) -> None:
        backend.recentre(parameters.shifts, self.relax)
