"""What a constraint is given, and what it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ptycupy.backends.interface import Backend
from ptycupy.experiment.optics import pair
from ptycupy.experiment.state import Problem
from ptycupy.model.parameters import Parameters


@dataclass(frozen=True)
class Context:
    """What constraints may need to know beyond the parameters themselves."""

    probe_intensity: float  # sum |probe|^2 at the start of the reconstruction
    scan_shape: tuple[int, int] | None
    pixel_size: tuple[float, float] | None  # angstrom (y, x)
    wavelength: float | None  # angstrom

    @classmethod
    def of(cls, backend: Backend, problem: Problem, parameters: Parameters) -> Context:
        """The context of a reconstruction that starts with these parameters."""
        with backend.arena():
            power = float(backend.to_host(backend.total_power(parameters.probe))[0])
        pixel_size = None if problem.pixel_size is None else pair(problem.pixel_size)
        return cls(power, problem.scan_shape, pixel_size, problem.wavelength)


class Constrain(Protocol):
    def __call__(self, backend: Backend, parameters: Parameters, context: Context) -> None:
        """Change the parameters in place."""
        ...
