"""What a constraint is given, and what it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ptycupy.backends.interface import Backend
from ptycupy.model.parameters import Parameters


@dataclass(frozen=True)
class Context:
    """What constraints may need to know beyond the parameters themselves."""

    probe_intensity: float  # sum |probe|^2 at the start of the reconstruction
    scan_shape: tuple[int, int] | None
    pixel_size: tuple[float, float] | None  # angstrom (y, x)
    wavelength: float | None  # angstrom


class Constrain(Protocol):
    def __call__(self, backend: Backend, parameters: Parameters, context: Context) -> None:
        """Change the parameters in place."""
        ...
