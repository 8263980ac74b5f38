"""The measured side of a Problem on a device: patterns, geometry and the fixed tables of the model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ptycupy.backends.exchange import to_numpy
from ptycupy.backends.interface import Array, Backend
from ptycupy.backends.interface.losses import Measured, StoredPatterns, decoded
from ptycupy.data.counts import PackedPatterns
from ptycupy.data.pad import padded_mask
from ptycupy.errors import ConfigError, DataError
from ptycupy.experiment.optics import pair
from ptycupy.experiment.propagation import propagation_tables
from ptycupy.experiment.rows import RowMatrix, pattern_matrix
from ptycupy.experiment.state import Problem
from ptycupy.model import tables
from ptycupy.model.feed import Feed
from ptycupy.model.holding import Hold, Placed, Wanted, hold_all
from ptycupy.model.parameters import Parameters
from ptycupy.model.storage import Resident, as_source, on_device, some
from ptycupy.model.tables import NearField, upload_rows
from ptycupy.ops.axis_filter import Rows


@dataclass
class Experiment:
    """Device arrays that the forward model and the losses read; only `corners` ever changes."""

    patterns: Array | PackedPatterns  # [N, ky, kx] as they came, or packed, beam in the centre; of a rank, its own
    slots: Array | None  # [N] int32, where each of them is in `patterns`; None = at its own number
    feed: Feed | None  # brings those that have no slot of their own; None = all that are used have one
    scale: Array  # [N], of the same patterns
    mask: Array  # [Y, X] uint8, zero frequency in the corner: the patterns' detector, padded
    background: Array | None  # [Y, X] around the patterns, zero frequency in the corner
    resampling: tuple[Rows | None, Rows | None]  # (y, x), of the padded patterns
    detector_shape: tuple[int, int]  # px (y, x) of what the model is compared with
    weights: Array  # [N] uint8, of the same patterns
    used: NDArray[np.int32]  # the positions of all patterns that are not left out
    places: NDArray[np.int32] | None  # [N] of each position's pattern in `patterns`, -1 where it is not; None: its own
    corners: Array  # [N, 2] int32 px
    occupancy: Array  # [o]
    base: Array  # [y, x]
    aperture: Array  # [y, x]
    ky: Array  # [y]
    kx: Array  # [x]
    near_field: Array | None  # transfer [1, 1, y, x] to the detector; None = far field
    moved_near_field: NearField | None  # the same where descan moves it
    detector: tuple[Rows | None, Rows | None]  # (y, x)
    descan_period: tuple[float, float]  # detector px (y, x) over which a ramp across the window moves a pattern once
    nominal: Array  # [N, 2] px about their mean, what scan_affine distorts
    aberrations: Array | None  # [K, y, x] rad/angstrom, chi of each refined coefficient
    _filters: dict[tuple[Any, ...], Rows] = field(default_factory=dict)

    def rows(self, backend: Backend, make: Callable[..., RowMatrix], *arguments: Any) -> Rows:
        """make(*arguments) on the device, uploaded at its first use only: batches must not carry it over again."""
        key = (make, *arguments)
        if key not in self._filters:
            self._filters[key] = upload_rows(backend, make(*arguments))
        return self._filters[key]

    @property
    def positions(self) -> int:
        return int(self.corners.shape[0])

    def located(self, indices: NDArray[np.int32]) -> NDArray[np.int32]:
        """Where the patterns of these positions are in `patterns`."""
        return indices if self.places is None else self.places[indices]

    def expect(self, batches: Sequence[NDArray[np.int32]], together: int) -> None:
        """Says which positions will be staged, in their order, so that they can be read ahead; so many batches for an
        update."""
        if self.feed is not None:
            groups = (batches[i : i + together] for i in range(0, len(batches), together))
            self.feed.expect([self.located(np.concatenate(group)) for group in groups])

    def rest(self) -> None:
        """Ends what `expect` began."""
        if self.feed is not None:
            self.feed.rest()

    @property
    def most_staged(self) -> int | None:
        """How many patterns may be staged at once; None = any number."""
        return None if self.feed is None else self.feed.capacity

    def stage(self, indices: NDArray[np.int32]) -> None:
        """Sees to it that `measured` finds the patterns of these positions; DataError where they cannot be read,
        ConfigError where there are too many at once."""
        if self.feed is not None:
            self.feed.stage(self.located(indices))

    def observed(self, backend: Backend, places: Array) -> Measured:
        """Of the patterns at `places`, staged before: as they are stored, or as `measured` gives them where they are
        resampled first."""
        how = self.scale, self.mask, self.weights, self.background
        stored = StoredPatterns(self.patterns, places, *how, self.slots)
        return self._resampled(backend, stored.decoded(backend)) if any(self.resampling) else stored

    def measured(self, backend: Backend, places: Array) -> Array:
        """Measured intensities [n, *detector_shape] of the patterns at `places`, staged before, zero frequency in the
        corner, padded and resampled; -1 where not counted."""
        return decoded(backend, self.observed(backend, places))

    def _resampled(self, backend: Backend, values: Array) -> Array:
        down, across = self.resampling
        if down is not None:
            values = backend.counted_filter(values, down.indices, down.weights)
        if across is not None:
            n, height, width = values.shape
            flat = backend.counted_filter(values.reshape(n * height, width, 1), across.indices, across.weights)
            values = flat.reshape(n, height, flat.shape[1])
        return values

    def batch(self, indices: Any, least: int = 0) -> NDArray[np.int32]:
        """The positions of a batch [n], at least so many; DataError where they are no whole numbers, out of range, or
        repeated."""
        array = to_numpy(indices, "indices")
        if array.size and array.dtype.kind not in "iu":
            raise DataError(f"indices: dtype {array.dtype} must be integers")
        wrong = array[(array < 0) | (array >= self.positions)]
        if array.ndim != 1 or wrong.size:
            found = wrong[:5].tolist() if wrong.size else array.shape
            raise DataError(f"indices {found} must be (n,) numbers in 0..{self.positions - 1}")
        if len(np.unique(array)) != len(array):
            raise DataError("indices: a position may stand in a batch only once")
        if len(array) < least:
            raise DataError(f"indices: {len(array)} positions, at least {least} is needed")
        return array.astype(np.int32)


def resident(backend: Backend, problem: Problem) -> Resident:
    """The patterns of a Problem on the device, for a Problem of the same mask, whose weights may be fewer, to use."""
    source = as_source(problem.patterns)
    count, ky, kx = source.shape
    counted = _filled("mask", problem.mask, "the detector's shape", (ky, kx), bool)
    used = _filled("pattern_weights", problem.pattern_weights, "shape", (count,), bool)
    return Resident(source, on_device(backend, source, problem.pattern_storage, counted, used))


def place(
    backend: Backend,
    problem: Problem,
    parameters: Parameters,
    here: NDArray[np.int32] | None = None,
    hold: Hold = hold_all,
) -> Experiment:
    """Put a Problem, whose patterns may be Resident, on a device; `hold` puts others there, of which only those of the
    positions `here` are read, where it is given.

    Raises DataError where patterns and positions do not fit each other, ConfigError where geometry does not.
    """
    source = as_source(problem.patterns)
    count = source.shape[0]
    rows = slice(None) if here is None else here
    corners = _corners(problem, parameters, count, here)
    window, slices = parameters.window, parameters.slices
    if slices > 1 and (problem.pixel_size is None or problem.wavelength is None):
        raise ConfigError(f"{slices} slices need pixel_size and wavelength in angstrom; only one slice works in pixels")
    pixel_size = 1.0 if problem.pixel_size is None else pair(problem.pixel_size)
    wavelength = 1.0 if problem.wavelength is None else float(problem.wavelength)
    geometry = propagation_tables(window, pixel_size, wavelength, problem.propagator, problem.anti_aliasing)
    measured_shape = int(source.shape[1]), int(source.shape[2])
    counted = mask = _filled("mask", problem.mask, "the detector's shape", measured_shape, bool)
    background = _background(problem, measured_shape)
    if background is not None:
        mask = padded_mask(mask, (background.shape[0], background.shape[1]))
    resampling = problem.pattern_resampling or (1.0, 1.0)
    matrices = [pattern_matrix(n, factor) for n, factor in zip(mask.shape, resampling, strict=True)]
    detector = _lengths(mask.shape, matrices)
    real = backend.real
    if parameters.background is not None and parameters.background.shape != detector:
        raise ConfigError(f"background {tuple(parameters.background.shape)} must have the detector's shape {detector}")
    used = _filled("pattern_weights", problem.pattern_weights, "shape", (count,), bool)
    own = source if here is None else some(source, here)
    if isinstance(problem.patterns, Resident) and here is None:
        placed = Placed(problem.patterns.patterns)
    else:
        placed = hold(backend, Wanted(own, problem.pattern_storage, counted, used[rows]))
    return Experiment(
        patterns=placed.patterns,
        slots=placed.slots,
        feed=placed.feed,
        scale=backend.asarray(_filled("pattern_scale", problem.pattern_scale, "shape", (count,), real)[rows]),
        mask=backend.asarray(_to_corner(mask.astype(np.uint8))),
        background=None if background is None else backend.asarray(_to_corner(background.astype(real))),
        resampling=tables.uploaded(backend, matrices),
        detector_shape=detector,
        weights=backend.asarray(used.astype(np.uint8)[rows]),
        used=np.flatnonzero(used).astype(np.int32),
        places=None if here is None else _places(here, count),
        corners=backend.asarray(corners),
        occupancy=backend.asarray(_occupancy(problem, parameters).astype(real)),
        base=backend.asarray(geometry.base.astype(real)),
        aperture=backend.asarray(geometry.aperture.astype(real)),
        ky=backend.asarray(geometry.ky.astype(real)),
        kx=backend.asarray(geometry.kx.astype(real)),
        near_field=tables.near_field(backend, problem, window),
        moved_near_field=None if parameters.descan is None else tables.moved_near_field(backend, problem, window),
        detector=tables.detector(backend, problem, window, detector),
        descan_period=tables.descan_period(problem, window, detector),
        nominal=backend.asarray(nominal_positions(problem).astype(real)),
        aberrations=tables.aberrations(backend, problem, parameters),
    )


def nominal_positions(problem: Problem) -> NDArray[np.float64]:
    """The positions [N, 2] in px about their mean, on which `scan_affine` acts."""
    given = problem.corners if problem.nominal_positions is None else problem.nominal_positions
    positions = to_numpy(given, "nominal_positions").astype(np.float64)
    if positions.shape != to_numpy(problem.corners).shape:
        raise ConfigError(f"nominal_positions {positions.shape} must be (N, 2) px, as the corners")
    return np.asarray(positions - positions.mean(axis=0), np.float64)


def _places(here: NDArray[np.int32], count: int) -> NDArray[np.int32]:
    places = np.full(count, -1, np.int32)
    places[here] = np.arange(len(here))
    return places


def _filled(name: str, values: Any, meaning: str, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """An array of this shape from one, from a scalar, or from None, which means ones."""
    array = to_numpy(1 if values is None else values, name)
    if array.ndim and array.shape != shape:
        raise ConfigError(f"{name} {array.shape} must have {meaning} {shape}")
    return np.full(shape, array, dtype)


def _corners(problem: Problem, parameters: Parameters, count: int, here: NDArray[np.int32] | None) -> NDArray[np.int32]:
    given = to_numpy(problem.corners, "corners")
    corners = given.astype(np.int32)
    if (corners != given).any():
        raise DataError("corners must be whole px, their fractions are shifts of the State")
    if corners.shape != (count, 2) or parameters.shifts.shape[0] != count:
        raise DataError(
            f"{count} patterns, but corners {corners.shape} and shifts {tuple(parameters.shifts.shape)}: "
            f"both must be ({count}, 2)"
        )
    room = np.asarray(parameters.canvas) - np.asarray(parameters.window)
    outside = np.flatnonzero(((corners < 0) | (corners > room)).any(axis=1))
    if here is not None:
        outside = outside[np.isin(outside, here)]
    if outside.size:
        raise DataError(
            f"{outside.size} windows lie outside the {parameters.canvas[0]} x {parameters.canvas[1]} px object, "
            f"first at positions {outside[:5].tolist()}; corners must lie in 0..({room[0]}, {room[1]})"
        )
    return corners


def _occupancy(problem: Problem, parameters: Parameters) -> NDArray[Any]:
    modes = parameters.object_phase.shape[0]
    if problem.object_occupancy is None:
        return np.full(modes, 1.0 / modes)
    occupancy = to_numpy(problem.object_occupancy, "object_occupancy").astype(float)
    if occupancy.shape != (modes,):
        raise ConfigError(f"object_occupancy {occupancy.shape} must be ({modes},): one weight per object mode")
    return occupancy


def _lengths(shape: tuple[int, ...], matrices: list[RowMatrix | None]) -> tuple[int, int]:
    y, x = (n if matrix is None else matrix.shape[0] for n, matrix in zip(shape, matrices, strict=True))
    return y, x


def _background(problem: Problem, detector: tuple[int, int]) -> NDArray[np.float64] | None:
    if problem.pattern_padding is None:
        return None
    background = to_numpy(problem.pattern_padding, "pattern_padding").astype(float)
    if background.ndim != 2 or min(np.subtract(background.shape, detector)) < 0:
        raise ConfigError(f"pattern_padding {background.shape} must be (Y, X), at least the detector's {detector}")
    if not (background >= 0).all() or np.isinf(background).any():
        raise DataError("pattern_padding: a background must be finite and nowhere negative")
    return background


def _to_corner(centred: NDArray[Any]) -> NDArray[Any]:
    return np.roll(centred, [-(n // 2) for n in centred.shape], axis=(0, 1))
