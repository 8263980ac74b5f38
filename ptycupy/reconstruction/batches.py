"""Batches: every position exactly once per iteration, in groups that are drawn again each time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ptycupy.errors import ConfigError
from ptycupy.update.settings import GROUPINGS

Indices = NDArray[np.int32]
HILBERT_BITS = 15


def make_groups(
    positions: NDArray[np.floating] | NDArray[np.integer],
    batch_size: int,
    grouping: str,
    generator: np.random.Generator,
) -> list[Indices]:
    """Indices into positions [N, 2] (y, x), split into groups of exactly `batch_size` and a last, shorter one.

    "random" groups are random, "compact" ones lie close together, "sparse" ones spread over the whole scan. Every
    call draws other groups from the generator, in random order. Raises ConfigError for an unknown grouping or size.
    """
    if grouping not in GROUPINGS:
        raise ConfigError(f"grouping: {grouping!r} is unknown, it must be one of {', '.join(GROUPINGS)}")
    if batch_size < 1:
        raise ConfigError(f"batch_size: {batch_size} must be at least 1")
    points = np.asarray(positions, dtype=np.float64).reshape(-1, 2)
    count = len(points)
    if grouping == "random" or batch_size == 1 or count <= batch_size:
        order = generator.permutation(count)
        groups = [order[start : start + batch_size] for start in range(0, count, batch_size)]
    elif grouping == "compact":
        groups = _compact(points, batch_size, generator)
    else:
        groups = _sparse(points, batch_size, generator)
    shuffled = [groups[i].astype(np.int32) for i in generator.permutation(len(groups))]
    return sorted(shuffled, key=len, reverse=True)


def _compact(points: NDArray[np.float64], size: int, generator: np.random.Generator) -> list[NDArray[np.int64]]:
    """Consecutive pieces of a Hilbert curve; the short piece sits anywhere along it."""
    order = _hilbert_order(points, generator)
    full, rest = divmod(len(points), size)
    sizes = np.full(full, size)
    if rest:
        sizes = np.insert(sizes, generator.integers(full + 1), rest)
    return np.split(order, np.cumsum(sizes)[:-1])


def _sparse(points: NDArray[np.float64], size: int, generator: np.random.Generator) -> list[NDArray[np.int64]]:
    """Cuts the scan into `size` cells of equal count; a group takes the same place of every cell.

    On a raster the groups are lattices. Rows of cells are moved against each other at random, with wrap-around,
    which leaves neighbours a cell apart and makes other groups each time.
    """
    full, rest = divmod(len(points), size)
    curve = _hilbert_order(points, generator)
    picks = ((np.arange(rest) + generator.random()) * (len(points) / max(rest, 1))).astype(np.int64)
    others = np.delete(curve, picks)

    if generator.random() < 0.5:
        points = points[:, ::-1]
    chosen = points[others] - points.min(axis=0)
    spacing = np.sqrt(max(np.prod(chosen.max(axis=0)), 1e-12) / len(chosen))
    height, width = chosen.max(axis=0) + spacing

    strips = int(np.clip(round(np.sqrt(size * height / width)), 1, size))
    cuts = np.round(np.linspace(0, size, strips + 1)).astype(np.int64)
    per_strip = cuts[1:] - cuts[:-1]
    y = (chosen[:, 0] + generator.random() * height) % height
    order = np.argsort(y, kind="stable")
    strip = np.empty(len(order), np.int64)
    strip[order] = np.repeat(np.arange(strips), per_strip * full)
    x = (chosen[:, 1] + generator.random(strips)[strip] * width) % width

    cell = np.arange(len(order)) // full
    order = np.lexsort((x, strip))
    order = order[np.lexsort((y[order], cell))]
    row_length = max(1, round(np.sqrt(full * width * strips**2 / (height * size))))
    row = np.arange(len(order)) % full // row_length
    order = order[np.lexsort((x[order], row, cell))]
    groups = list(others[order.reshape(size, full).T])
    return [*groups, curve[picks]] if rest else groups


def _hilbert_order(points: NDArray[np.float64], generator: np.random.Generator) -> NDArray[np.int64]:
    """The points sorted along a Hilbert curve whose origin, direction and axes are drawn at random.

    Coordinates to distance as J. Skilling, AIP Conf. Proc. 707, 381 (2004) and Warren, Hacker's Delight, ch. 16.
    """
    extent = max(float(np.ptp(points, axis=0).max()), 1e-12)
    scaled = (points - points.min(axis=0)) / extent * generator.choice([-1.0, 1.0], size=2)
    scaled -= scaled.min(axis=0)
    if generator.random() < 0.5:
        scaled = scaled[:, ::-1]
    side = 1 << HILBERT_BITS
    # The scan fills half of the curve's square, so that every offset cuts it at other places.
    y, x = ((scaled + generator.random(2)) / 2 * (side - 1)).astype(np.int64).T
    distance = np.zeros(len(points), np.int64)
    bit = side >> 1
    while bit:
        right, up = (x & bit) > 0, (y & bit) > 0
        distance += bit * bit * ((3 * right) ^ up)
        flip = ~up & right
        x, y = np.where(flip, side - 1 - x, x), np.where(flip, side - 1 - y, y)
        x, y = np.where(up, x, y), np.where(up, y, x)
        bit >>= 1
    return np.argsort(distance, kind="stable")
