"""Which positions take part: all of them, one of two halves whose results can be compared, or a part of the scan."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ptycupy.errors import ConfigError
from ptycupy.experiment.state import Problem

if TYPE_CHECKING:
    from ptycupy.config.schema import Reconstruction

SUBSCANS = ("centre", "spread")
HALVES = ("all", "even", "odd")


def select_positions(count: int, half: str, scan_shape: tuple[int, int] | None = None) -> NDArray[np.int32]:
    """Indices of the positions that are used; "even" and "odd" are disjoint and make up "all".

    On a raster of scan_shape (slow, fast) the halves are the two colours of a checkerboard, so that both cover the
    specimen evenly; without one, they alternate in scan order.
    """
    if half not in HALVES:
        raise ConfigError(f"half: {half!r} is unknown, it must be one of {', '.join(HALVES)}")
    indices = np.arange(count, dtype=np.int32)
    if half == "all":
        return indices
    parity = indices % 2
    if scan_shape is not None and scan_shape[0] * scan_shape[1] == count:
        parity = (indices // scan_shape[1] + indices % scan_shape[1]) % 2
    return np.flatnonzero(parity == (half == "odd")).astype(np.int32)


def subscan(scan_shape: tuple[int, int] | None, mode: str, shape: tuple[int, int]) -> NDArray[np.int32]:
    """Indices of `shape` (slow, fast) positions of a raster: those in its centre, or spread over it.

    The centre starts at (n - wanted) // 2; spread are the indices np.linspace(0, n - 1, wanted), rounded down, of each
    axis. ConfigError without a raster, or where it has fewer positions.
    """
    if mode not in SUBSCANS:
        raise ConfigError(f"subscan.mode: {mode!r} is unknown, it must be one of {', '.join(SUBSCANS)}")
    if scan_shape is None:
        raise ConfigError("reconstruction.subscan: needs a raster: give data.scan_shape, for example [128, 128]")
    if any(wanted > there for wanted, there in zip(shape, scan_shape, strict=True)):
        raise ConfigError(f"reconstruction.subscan.shape: {list(shape)} of a scan of {list(scan_shape)} positions")
    axes = []
    for wanted, there in zip(shape, scan_shape, strict=True):
        start = (there - wanted) // 2
        evenly = np.linspace(0, there - 1, wanted).astype(np.int32)
        axes.append(np.arange(start, start + wanted, dtype=np.int32) if mode == "centre" else evenly)
    rows, columns = axes
    return np.asarray(rows[:, None] * scan_shape[1] + columns, np.int32).ravel()


def with_selection(problem: Problem, loop: Reconstruction) -> Problem:
    """The problem with weight 0 for the positions of the other half, and for those outside the subscan."""
    return problem if loop.half == "all" and loop.subscan is None else only(problem, taking_part(problem, loop))


def taking_part(problem: Problem, loop: Reconstruction) -> NDArray[np.bool_]:
    """Which positions [N] the half and the subscan have."""
    count = len(problem.corners)  # an outline has no patterns yet
    chosen = np.zeros(count, np.bool_)
    indices = select_positions(count, loop.half, problem.scan_shape)
    if loop.subscan is not None:
        indices = np.intersect1d(indices, subscan(problem.scan_shape, loop.subscan.mode, loop.subscan.shape))
    chosen[indices] = True
    return chosen


def only(problem: Problem, chosen: NDArray[np.bool_]) -> Problem:
    """The problem with weight 0 for all positions but the chosen ones [N]."""
    weights = chosen if problem.pattern_weights is None else chosen & np.asarray(problem.pattern_weights, bool)
    return replace(problem, pattern_weights=weights)
