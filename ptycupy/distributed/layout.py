"""How a canvas is divided among ranks: disjoint cores, and tiles that hold a core and all windows of its rank."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.errors import ConfigError

Box = NDArray[np.int64]  # [2, 2] px: the first pixel (y, x), and the first one beyond it
Parts = list[NDArray[np.int32]]  # positions of each rank, in order
ROOM = 8  # px around the outermost windows, so that tiles need not change with every iteration


@dataclass(frozen=True)
class Layout:
    """Boxes of the canvas by rank."""

    canvas: tuple[int, int]  # px
    cores: NDArray[np.int64]  # [ranks, 2, 2], every pixel of the canvas in one of them
    tiles: NDArray[np.int64]  # [ranks, 2, 2]

    def neighbours(self, rank: int) -> dict[int, Box]:
        """What the tile of this rank has in common with the tiles of others."""
        return _overlaps(self.tiles[rank], self.tiles, rank)

    def lent(self, rank: int) -> dict[int, Box]:
        """What others have of the core of this rank."""
        return _overlaps(self.cores[rank], self.tiles, rank)

    def borrowed(self, rank: int) -> dict[int, Box]:
        """What this rank has of the cores of others."""
        return _overlaps(self.tiles[rank], self.cores, rank)

    def grown(self, before: NDArray[Any], after: NDArray[Any]) -> Layout:
        """The same on a canvas with so many px (y, x) more on each side, which the outermost cores get too; tiles stay
        where they are."""
        size = np.asarray(self.canvas)
        cores = self.cores + before
        cores[:, 0][self.cores[:, 0] == 0] = 0
        at_end = self.cores[:, 1] == size
        cores[:, 1][at_end] = np.broadcast_to(size + before + after, (len(cores), 2))[at_end]
        height, width = (size + before + after).tolist()
        return replace(self, canvas=(height, width), cores=cores, tiles=self.tiles + before)

    def holding(self, corners: NDArray[np.integer[Any]], parts: Parts, window: tuple[int, int], reach: int) -> Layout:
        """With tiles as they are where each holds its core, `reach` px around it and all its windows; else with new
        ones that do."""
        needed = np.stack([_around(core, reach, self.canvas) for core in self.cores])
        reached = np.stack([_hull(corners[part], window) for part in parts])
        wanted = _both(needed, reached)
        if (self.tiles[:, 0] <= wanted[:, 0]).all() and (self.tiles[:, 1] >= wanted[:, 1]).all():
            return self
        roomy = np.stack([_around(box, ROOM, self.canvas) for box in reached])
        return replace(self, tiles=_both(needed, roomy))


def divide(
    corners: NDArray[np.integer[Any]], window: tuple[int, int], canvas: tuple[int, int], ranks: int
) -> tuple[Parts, NDArray[np.int64]]:
    """Who gets which of the windows at `corners` [n, 2], as many each as can be, and cores [ranks, 2, 2] about them.

    The longer side of the scan is halved until every rank has its part. ConfigError where there are fewer windows.
    """
    if len(corners) < ranks:
        raise ConfigError(f"{ranks} ranks for {len(corners)} positions: start at most {len(corners)}")
    centres = corners + np.asarray(window) // 2
    parts: Parts = []
    cores: list[Box] = []
    box = np.array([(0, 0), canvas], np.int64)
    for part, core in _halved(centres, np.arange(len(corners), dtype=np.int32), box, ranks):
        parts.append(np.sort(part))
        cores.append(core)
    return parts, np.stack(cores)


def laid_out(
    corners: NDArray[np.integer[Any]],
    parts: Parts,
    cores: NDArray[np.int64],
    window: tuple[int, int],
    canvas: tuple[int, int],
    reach: int,
) -> Layout:
    """The layout of windows at `corners` [N, 2] that belong to the `parts`."""
    empty = Layout(canvas, cores, np.zeros_like(cores))
    return empty.holding(corners, parts, window, reach)


def meet(a: Box, b: Box) -> Box | None:
    """What two boxes have in common; None where that is nothing."""
    box = np.stack([np.maximum(a[0], b[0]), np.minimum(a[1], b[1])])
    return box if (box[0] < box[1]).all() else None


def within(box: Box, other: Box) -> tuple[Any, slice, slice]:
    """The index of a box in an array [..., y, x] of the pixels of another one."""
    (top, left), (bottom, right) = (box - other[0]).tolist()
    return ..., slice(top, bottom), slice(left, right)


def _halved(
    centres: NDArray[Any], members: NDArray[np.int32], box: Box, ranks: int
) -> Sequence[tuple[NDArray[np.int32], Box]]:
    if ranks == 1:
        return [(members, box)]
    points = centres[members]
    axis = int(np.argmax(np.ptp(points, axis=0)))
    order = np.lexsort((points[:, 1 - axis], points[:, axis]))
    first = ranks // 2
    count = round(len(members) * first / ranks)
    sorted_points = points[order, axis]
    cut = int(np.clip((sorted_points[count - 1] + sorted_points[count] + 1) // 2, box[0, axis], box[1, axis]))
    low, high = box.copy(), box.copy()
    low[1, axis] = high[0, axis] = cut
    return [
        *_halved(centres, members[order[:count]], low, first),
        *_halved(centres, members[order[count:]], high, ranks - first),
    ]


def _overlaps(box: Box, others: NDArray[np.int64], rank: int) -> dict[int, Box]:
    found = {other: meet(box, others[other]) for other in range(len(others)) if other != rank}
    return {other: common for other, common in found.items() if common is not None}


def _hull(corners: NDArray[Any], window: tuple[int, int]) -> Box:
    return np.stack([corners.min(axis=0), corners.max(axis=0) + window]).astype(np.int64)


def _around(box: Box, width: int, canvas: tuple[int, int]) -> Box:
    """A box and so many px around it, as far as there is canvas; an empty one stays empty."""
    if (box[0] >= box[1]).any():
        return box
    return np.stack([np.maximum(box[0] - width, 0), np.minimum(box[1] + width, canvas)])


def _both(a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.int64]:
    """Boxes [n, 2, 2] about both of each, of which `a` may be empty."""
    empty = np.asarray(a[:, 0] >= a[:, 1]).any(axis=1, keepdims=True)
    return np.stack(
        [
            np.where(empty, b[:, 0], np.minimum(a[:, 0], b[:, 0])),
            np.where(empty, b[:, 1], np.maximum(a[:, 1], b[:, 1])),
        ],
        axis=1,
    )


__all__ = ["Box", "Layout", "Parts", "divide", "laid_out", "meet", "within"]
