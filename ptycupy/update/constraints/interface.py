"""What a constraint is given, and what it is."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from ptycupy.backends.interface import Array, Backend
from ptycupy.experiment.masks import ScanVectors
from ptycupy.experiment.optics import pair
from ptycupy.experiment.rows import RowMatrix
from ptycupy.experiment.scan import scan_vectors
from ptycupy.experiment.state import Problem
from ptycupy.model.parameters import Parameters
from ptycupy.model.tables import upload_rows
from ptycupy.ops.axis_filter import Rows

Kept = TypeVar("Kept")
OnPlanes = Callable[[Array, slice], None]  # changes planes [o, z, Y, X], these of the object's slices, in place


class Spread(Protocol):
    """What tells of the whole of an object of which there is but a part here; see the methods of Context."""

    def plane_moments(
        self, backend: Backend, field: Array, corner: tuple[int, int], shape: tuple[int, int]
    ) -> NDArray[np.float64]: ...

    def ratio_sums(self, backend: Backend, amplitude: Array, phase: Array) -> Array: ...

    def least(self, value: float) -> float: ...

    def ranked(self, backend: Backend, field: Array, rank: int, magnitudes: bool) -> Array: ...

    def on_planes(self, backend: Backend, field: Array, apply: OnPlanes) -> None: ...

    @property
    def box(self) -> tuple[tuple[int, int], tuple[int, int]]: ...


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
    kept: dict[Hashable, Any] = field(default_factory=dict, repr=False, compare=False)  # what `once` made

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

    def once(self, key: Hashable, make: Callable[[], Kept]) -> Kept:
        """What `make` makes, once for each key: a table that is computed and uploaded the first time it is needed."""
        if key not in self.kept:
            self.kept[key] = make()
        made: Kept = self.kept[key]
        return made

    def forget(self) -> None:
        """Drops all tables, where those of other shapes will be needed."""
        self.kept.clear()

    def table(self, backend: Backend, function: Callable[..., NDArray[np.float64]], *arguments: Hashable) -> Array:
        """What a function makes of these arguments, as reals on the device."""
        return self.once((function, arguments), lambda: backend.asarray(function(*arguments), backend.real))

    def rows(self, backend: Backend, function: Callable[..., RowMatrix], *arguments: Hashable) -> Rows:
        """The same of a sparse matrix."""
        return self.once((function, arguments), lambda: upload_rows(backend, function(*arguments)))

    def scanned(self, backend: Backend, parameters: Parameters) -> tuple[tuple[int, int], tuple[int, int]]:
        """Corner and shape of the box of the canvas in which the middles of all windows lie, px (y, x).

        Where there is but a part of the object, the box may reach beyond it, and the corner is still one of that part.
        """
        corners = backend.to_host(self.corners)
        low, high = corners.min(axis=0), corners.max(axis=0)
        height, width = parameters.window
        corner = (int(low[0]) + height // 2, int(low[1]) + width // 2)
        return corner, (int(high[0] - low[0]) + 1, int(high[1] - low[1]) + 1)

    def whole(self, parameters: Parameters) -> tuple[tuple[int, int], tuple[int, int]]:
        """Corner and shape of the whole canvas as a box of what is here, px (y, x)."""
        return ((0, 0), parameters.canvas) if self.tiles is None else self.tiles.box

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

    def ranked(self, backend: Backend, field: Array, rank: int, magnitudes: bool) -> Array:
        """`Backend.ranked` of the whole object."""
        if self.tiles is not None:
            return self.tiles.ranked(backend, field, rank, magnitudes)
        return backend.ranked(field, rank, magnitudes)

    def on_planes(self, backend: Backend, field: Array, apply: OnPlanes) -> None:
        """What changes planes as wholes, on those of the whole object: all at once, or one after the other, in turn on
        the ranks, where there is but a part of it here."""
        if self.tiles is not None:
            self.tiles.on_planes(backend, field, apply)
        else:
            apply(field, slice(None))


class Constrain(Protocol):
    """Where it names the State's fields that it may change, as `changes`, joint reconstructions take it too.

    An object that lies in tiles takes those that leave the object alone, or say by `reach` how many px beyond a pixel
    of it they look (0: not at all, or by what the Context gives of the whole).
    `recordable = True` says that it looks at no number on the host and that its calls ask the same of the backend
    every time, uploads of tables by `context.once` aside: it may then become part of a recording, and runs before the
    loss of its iteration is known to be finite.
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
