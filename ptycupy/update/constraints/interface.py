"""What a constraint is given, and what it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, Protocol

from ptycupy.backends.interface import Array, Backend
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
    propagator: Literal["angular_spectrum", "fresnel"] = "angular_spectrum"

    @classmethod
    def of(cls, backend: Backend, problem: Problem, parameters: Parameters) -> Context:
        """The context of a reconstruction that starts with these parameters."""
        with backend.arena():
            power = float(backend.to_host(backend.total_power(parameters.probe))[0])
        pixel_size = None if problem.pixel_size is None else pair(problem.pixel_size)
        return cls(power, problem.scan_shape, pixel_size, problem.wavelength, problem.propagator)


class Constrain(Protocol):
    def __call__(self, backend: Backend, parameters: Parameters, context: Context) -> None:
        """Change the parameters in place."""
        ...


@contextmanager
def relaxed(backend: Backend, relax: float, *fields: Array) -> Iterator[None]:
    """What the block does to the fields counts for 1 - relax of it; scratch of the block is given back at its end."""
    with backend.arena():
        if relax == 0:
            yield
            return
        before = [backend.empty(field.shape, field.dtype) for field in fields]
        for kept, field in zip(before, fields, strict=True):
            backend.copy(kept, field)
        yield
        for kept, field in zip(before, fields, strict=True):
            backend.relax(field, kept, relax)
