"""Scan positions: rasters and given positions, how they were distorted, and where they lie on the object canvas."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.errors import ConfigError, DataError
from ptycupy.experiment.seeds import generator

log = logging.getLogger(__name__)

Float = NDArray[np.float64]
MINIMUM_OVERLAP = 0.3  # below it a run warns
ADVISED_OVERLAP = 0.6  # what `ptycupy quick` asks for
FARTHEST = 2**30  # px: an int32 corner plus a window must stay representable


@dataclass(frozen=True)
class Placement:
    """Positions on an object canvas: corner + shift is the top-left corner of a position's window."""

    corners: NDArray[np.int32]  # [N, 2] px (y, x)
    shifts: NDArray[np.float32]  # [N, 2] px (y, x), within half a pixel
    canvas: tuple[int, int]  # (y, x) px


def raster(scan_shape: tuple[int, int], step: tuple[float, float]) -> Float:
    """Positions [N, 2] (y, x) of a raster scan (slow, fast) about the origin, in the unit of its step (slow, fast)."""
    slow, fast = ((np.arange(n) - (n - 1) / 2) * size for n, size in zip(scan_shape, step, strict=True))
    return np.stack(np.meshgrid(slow, fast, indexing="ij"), axis=-1).reshape(-1, 2)


def checked_positions(values: Any, count: int, name: str) -> Float:
    """Given positions as float64 [N, 2]; raises DataError, with the indices, where they cannot be used."""
    positions = np.asarray(values)
    if positions.ndim != 2 or positions.shape[1] != 2 or positions.dtype.kind not in "iuf":
        raise DataError(f"{name}: positions must be numbers (N, 2), (y, x); found {positions.dtype} {positions.shape}")
    if len(positions) != count:
        low, high = min(len(positions), count), max(len(positions), count) - 1
        odd = f"index {low} has" if low == high else f"indices {low} to {high} have"
        lacking = "no position" if len(positions) < count else "no pattern"
        raise DataError(f"{name}: {len(positions)} positions for {count} patterns; {odd} {lacking}")
    positions = positions.astype(np.float64)
    _refuse(~np.isfinite(positions).all(1), positions, name, "not finite")
    return positions


def orient(
    positions: Float, scan_shape: tuple[int, int] | None, reverse_slow: bool, reverse_fast: bool, swap_axes: bool
) -> Float:
    """Positions taken in reverse order along the slow or the fast axis, and with their y and x exchanged."""
    if reverse_slow or reverse_fast:
        if scan_shape is None:
            raise ConfigError("scan.reverse_slow and scan.reverse_fast need data.scan_shape")
        grid = positions.reshape(*scan_shape, 2)
        grid = grid[::-1] if reverse_slow else grid
        positions = (grid[:, ::-1] if reverse_fast else grid).reshape(-1, 2)
    return positions[:, ::-1] if swap_axes else positions


def affine_matrix(scale: float, asymmetry: float, rotation_degrees: float, shear_degrees: float) -> Float:
    """A for row vectors (y, x): scale * diag(1 + as/2, 1 - as/2) . rotation . shear."""
    angle, tangent = math.radians(rotation_degrees), math.tan(math.radians(shear_degrees))
    cosine, sine = math.cos(angle), math.sin(angle)
    stretch = scale * np.diag([1 + asymmetry / 2, 1 - asymmetry / 2])
    return np.asarray(stretch @ [[cosine, sine], [-sine, cosine]] @ [[1, 0], [tangent, 1]], np.float64)


def affine_displacements(nominal: Float, parameters: Any) -> Float:
    """How far positions [N, 2] (y, x), taken about their mean, move under scan - 1, asymmetry, rotation and shear."""
    change, asymmetry, rotation, shear = (float(value) for value in parameters)
    matrix = affine_matrix(1 + change, asymmetry, rotation, shear)
    return np.asarray((nominal - nominal.mean(0)) @ (matrix - np.eye(2)), np.float64)


def distort(positions: Float, matrix: Float) -> Float:
    """Positions @ matrix about their mean."""
    mean = positions.mean(0)
    return np.asarray((positions - mean) @ matrix + mean, np.float64)


def jitter(positions: Float, std: float, seed: int) -> Float:
    """Positions with Gaussian noise of standard deviation `std` in their own unit; reproducible by the seed."""
    return positions + generator(seed, "scan.jitter").normal(0, std, positions.shape) if std > 0 else positions


def place(positions: Float, window: tuple[int, int], margin: float, name: str = "scan") -> Placement:
    """Puts positions (px, any origin) on a canvas that holds all their windows, the scan's box in its middle.

    The canvas is int((1 + margin) * ceil(span + window)) per axis, more where rounding asks for it. Raises DataError
    naming the indices of positions that no canvas can hold.
    """
    middle = (positions.max(0) + positions.min(0)) / 2
    _refuse(
        np.any(np.abs(positions - np.median(positions, axis=0)) > FARTHEST, axis=1), positions, name, "out of reach"
    )
    size = np.asarray(window)
    extent = ((1 + margin) * np.ceil(np.ptp(positions, axis=0) + size)).astype(np.int64)
    centred = positions - middle + (extent // 2 - size // 2)
    corners = np.rint(centred)  # half to even
    shifts = centred - corners
    corners -= np.minimum(corners.min(0), 0)
    canvas = np.maximum(extent, corners.max(0).astype(np.int64) + size)
    return Placement(corners.astype(np.int32), shifts.astype(np.float32), (int(canvas[0]), int(canvas[1])))


def place_on(positions: Float, window: tuple[int, int], size: tuple[int, int]) -> tuple[Placement, tuple[int, int]]:
    """Positions (px of a given object) on a canvas that holds this object of `size` and all their windows.

    Also returns where the object's first pixel lies on that canvas.
    """
    _refuse(np.any(np.abs(positions) > FARTHEST, axis=1), positions, "scan", "out of reach")
    corners = np.rint(positions)
    shifts = positions - corners
    before = np.maximum(-corners.min(0), 0).astype(np.int64)
    after = np.maximum(np.asarray(size), corners.max(0).astype(np.int64) + np.asarray(window))
    y, x = (before + after).tolist()
    placement = Placement((corners + before).astype(np.int32), shifts.astype(np.float32), (y, x))
    return placement, (int(before[0]), int(before[1]))


def offset_between(positions: Float, others: Float) -> Float:
    """What brings positions to others of the same specimen: equal means, or middles where their numbers differ."""
    if len(positions) == len(others):
        return np.asarray(others.mean(0) - positions.mean(0))
    middles = [(values.max(0) + values.min(0)) / 2 for values in (positions, others)]
    return np.asarray(middles[1] - middles[0])


def warn_of_overlap(positions: Float, scan_shape: tuple[int, int] | None, probe: NDArray[Any]) -> float | None:
    """`probe_overlap`, with a warning below 30 %."""
    overlap = probe_overlap(positions, scan_shape, probe)
    if overlap is None:
        return None
    diameter = effective_diameter(probe)
    step = (1 - overlap) * diameter
    if overlap <= 0:
        log.warning("the scan step of %.2f px is larger than the probe's diameter of %.2f px", step, diameter)
    elif overlap < MINIMUM_OVERLAP:
        log.warning(
            "neighbouring probes overlap by %.0f %% (step %.2f px, probe diameter %.2f px); at least %.0f %% are "
            "needed, %.0f %% and more advised",
            100 * overlap, step, diameter, 100 * MINIMUM_OVERLAP, 100 * ADVISED_OVERLAP,
        )  # fmt: skip
    return overlap


def probe_overlap(positions: Float, scan_shape: tuple[int, int] | None, probe: NDArray[Any]) -> float | None:
    """Overlap of neighbouring probes (mode, y, x), 1 - step / diameter; None for a single position."""
    step = typical_step(positions, scan_shape)
    return None if step is None else 1 - step / effective_diameter(probe)


def effective_diameter(probe: NDArray[Any]) -> float:
    """Diameter in px of a disk of the effective area (sum I)^2 / sum I^2 of a probe (mode, y, x)."""
    intensity = np.sum(np.abs(probe).astype(np.float64) ** 2, axis=0)
    area = float(intensity.sum() ** 2 / np.sum(intensity**2))
    return 2 * math.sqrt(area / math.pi)


def typical_step(positions: Float, scan_shape: tuple[int, int] | None) -> float | None:
    """Distance of neighbours in px: the larger of a raster's two median steps, else the median nearest neighbour."""
    if len(positions) < 2:
        return None
    if scan_shape is not None and math.prod(scan_shape) == len(positions):
        grid = positions.reshape(*scan_shape, 2)
        steps = [np.linalg.norm(np.diff(grid, axis=axis), axis=-1) for axis in (0, 1)]
        return max(float(np.median(step)) for step in steps if step.size)
    from scipy.spatial import cKDTree

    distances, _ = cKDTree(positions).query(positions, k=2)
    return float(np.median(distances[:, 1]))


def scan_vectors(
    positions: Float, scan_shape: tuple[int, int] | None
) -> tuple[tuple[float, float], tuple[float, float]] | None:
    """One step along the rows and one along the columns of a scan, px (y, x), by regression over all positions [N, 2].

    None where the scan's shape is not known, does not fit, or has only one row or column.
    """
    if scan_shape is None or scan_shape[0] * scan_shape[1] != len(positions) or min(scan_shape) < 2:
        return None
    indices = [index - index.mean() for index in np.indices(scan_shape).reshape(2, -1).astype(float)]
    (row_y, row_x), (column_y, column_x) = ((i @ positions / (i @ i)).tolist() for i in indices)
    return (row_y, row_x), (column_y, column_x)


def _refuse(bad: NDArray[Any], positions: Float, name: str, what: str) -> None:
    if not bad.any():
        return
    indices = np.flatnonzero(bad)
    shown = ", ".join(f"{i} at ({positions[i, 0]:g}, {positions[i, 1]:g})" for i in indices[:5])
    more = f" and {indices.size - 5} more" if indices.size > 5 else ""
    raise DataError(f"{name}: {indices.size} of {len(positions)} positions are {what}: {shown}{more}")
