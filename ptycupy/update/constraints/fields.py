"""What constraints on amplitude, phase or both share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

from ptycupy.backends.interface import Array
from ptycupy.errors import ConfigError
from ptycupy.model.parameters import Parameters


@dataclass(frozen=True)
class OnObject:
    """A constraint on one object array [o, z, Y, X] or on both."""

    changes: ClassVar[tuple[str, ...]] = ("object_amplitude", "object_phase")
    recordable: ClassVar[bool] = True

    obj_type: Literal["amplitude", "phase", "both"] = "both"

    def __post_init__(self) -> None:
        if self.obj_type not in {"amplitude", "phase", "both"}:
            raise ConfigError(f"obj_type: {self.obj_type!r} must be amplitude, phase or both")

    def fields(self, parameters: Parameters) -> Iterator[Array]:
        """The arrays that are meant, amplitude first."""
        if self.obj_type != "phase":
            yield parameters.object_amplitude
        if self.obj_type != "amplitude":
            yield parameters.object_phase
