"""What a constraint is given, and what it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from ptycupy.backends.interface import Array, Backend
from ptycupy.experiment.masks import ScanVectors
from ptycupy.experiment.optics import pair
from ptycupy.experiment.scan import scan_vectors
from ptycupy.experiment.state import Problem
from ptycupy.model.parameters import Parameters


class Spread(Protocol):
    """What tells of the whole of an object of which there is but a part here; see the methods of Context."""

    def plane_moments(
        self, backend: Backend, field: Array, corner: tuple[int, int], shape: tuple[int, int]
    ) -> NDArray[np.float64]: ...

    def ratio_sums(self, backend: Backend, amplitude: Array, phase: Array) -> Array: ...

    def least(self, value: float) -> float: ...


@dataclass(frozen=True)
class Context:
    """What constraints may need to know beyond the parameters themselves."""

    probe_intensity: float  # sum |probe|^2 at the start of the reconstruction
    corners: Array  # [N, 2] int32 px, as they are now
    scan_shape: tuple[int, int] | None
    pixel_size: tuple[float, float] | None  # angstrom (y, x)
    wavelength: float | None  # angstrom
    propagator: Literal["angular_spectrum", "fresnel"]
    scan_vectors: ScanVectors | None  # a step along rows and along columns of the raster at the start, px (y, x)
    tiles: Spread | None = None  # where the parameters have a part of the object, and others the rest

    @classmethod
    def of(cls, backend: Backend, problem: Problem, parameters: Parameters, corners: Array) -> Context:
        """The context of a reconstruction that starts with these parameters."""
        with backend.arena():
            power = float(backend.to_host(backend.total_power(parameters.probe))[0])
        positions = backend.to_host(corners).astype(float) + backend.to_host(parameters.shifts)
        return cls(
            probe_intensity=power,
            corners=corners,
            scan_shape=problem.scan_shape,
            pixel_size=None if problem.pixel_size is None else pair(problem.pixel_size),
            wavelength=problem.wavelength,
            propagator=problem.propagator,
            scan_vectors=scan_vectors(positions, problem.scan_shape),
        )

    def scanned(self, backend: Backend, parameters: Parameters) -> tuple[tuple[int, int], tuple[int, int]]:
        """Corner and shape of the box of the canvas in which the middles of all windows lie, px (y, x).

        Where there is but a part of the object, the box may reach beyond it, and the corner is still one of that part.
        """
        corners = backend.to_host(self.corners)
        low, high = corners.min(axis=0), corners.max(axis=0)
        height, width = parameters.window
        corner = (int(low[0]) + height // 2, int(low[1]) + width // 2)
        return corner, (int(high[0] - low[0]) + 1, int(high[1] - low[1]) + 1)

    def plane_moments(
        self, backend: Backend, field: Array, corner: tuple[int, int], shape: tuple[int, int]
    ) -> NDArray[np.float64]:
        """`Backend.plane_moments` [o z, 3] of the whole object's planes [o, z, Y, X] in a box as `scanned` gives it."""
        if self.tiles is not None:
            return self.tiles.plane_moments(backend, field, corner, shape)
        planes = field.reshape(-1, *field.shape[2:])
        return np.array(backend.to_host(backend.plane_moments(planes, corner, shape)))

    def ratio_sums(self, backend: Backend, amplitude: Array, phase: Array) -> Array:
        """`Backend.ratio_sums` of the whole object."""
        if self.tiles is not None:
            return self.tiles.ratio_sums(backend, amplitude, phase)
        return backend.ratio_sums(amplitude, phase)

    def least(self, value: float) -> float:
        """The least of the whole object, from the least of what is here."""
        return value if self.tiles is None else self.tiles.least(value)


class Constrain(Protocol):
    """Where it names the State's fields that it may change, as `changes`, joint reconstructions take it too.

    An object that lies in tiles takes those that leave the object alone, or say by `reach` how many px beyond a pixel
    of it they look (0: not at all, or by the sums that the Context gives).
    """

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
