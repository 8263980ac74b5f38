"""Constraints on the probe: orthogonal modes and a fixed total intensity."""

from __future__ import annotations

from dataclasses import dataclass

from ptycupy.backends.interface import Backend
from ptycupy.model.parameters import Parameters
from ptycupy.update.constraints.interface import Context


@dataclass(frozen=True)
class OrthogonalProbe:
    """Orthogonal modes of the same mixed state, strongest first (PtyRAD's ortho_pmode; Thibault 2013)."""

    def __call__(self, backend: Backend, parameters: Parameters, context: Context) -> None:
        if parameters.probe.shape[0] > 1:
            backend.orthogonalise(parameters.probe)


@dataclass(frozen=True)
class FixedProbeIntensity:
    """Sum |probe|^2 over all modes brought back to `target` (PtyRAD's fix_probe_int); None = as at the start."""

    target: float | None = None

    def __call__(self, backend: Backend, parameters: Parameters, context: Context) -> None:
        target = context.probe_intensity if self.target is None else self.target
        with backend.arena():
            backend.rescale_power(parameters.probe, backend.total_power(parameters.probe), target)
