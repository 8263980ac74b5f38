"""Pixels that do not measure: saturated, hot or dead ones, found from what one pass over the patterns counts.

A detector's fault is told from genuine diffraction by what genuine diffraction cannot do:

- saturated: the value is the detector's largest possible one, in at least a tenth of the patterns. Photon noise repeats
  one value of more than 255 in less than 3 % of the patterns.
- hot: never dark, and twenty times brighter on average than all but one of its eight neighbours. A bright disk, a Bragg
  spot and the direct beam are wider than that, because the probe fits into the window.
- dead: always 0 although every pixel around it holds counts in at least twenty patterns, of which all would have had
  to miss it. Dark corners and wide dark regions have dark neighbours; they are left alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]

LEAST_CEILING = 255  # a smaller largest value is a scarce count, no ceiling
SATURATED_SHARE = 0.1  # of the patterns
LARGEST_SHARE = 0.01  # of the detector: more saturated pixels than this are a clipped exposure, not a defect
HOT_RATIO = 20.0
HOT_FLOOR = 0.2  # of its mean, which a hot pixel always exceeds
LEAST_PATTERNS = 16  # fewer do not tell a defect from chance
NEIGHBOURS_SEEN = 20  # patterns in which each neighbour of a dead pixel holds something
CLUSTER_PX = 4
GAP_PX = 16  # the widest run of dark lines between lit ones that is a gap between chips
PLACES_SHOWN = 5


class Evidence:
    """What is counted per pixel, slab by slab."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self.lit = np.zeros(shape, np.int64)  # patterns in which the pixel is not 0
        self.least = np.full(shape, np.inf)
        self.at_ceiling = np.zeros(shape, np.int64)  # patterns in which it has the largest value of all
        self.ceiling = 0.0
        self.patterns = 0

    def add(self, patterns: NDArray[Any]) -> None:
        """Counts more patterns [n, ky, kx], finite values only."""
        self.patterns += len(patterns)
        self.lit += np.count_nonzero(patterns, axis=0)
        np.minimum(self.least, patterns.min(axis=0), out=self.least)
        brightest = patterns.max(axis=0)
        largest = float(brightest.max())
        if largest > self.ceiling:
            self.ceiling = largest
            self.at_ceiling[:] = 0
        if largest == self.ceiling > 0:
            where = brightest == largest
            self.at_ceiling[where] += np.count_nonzero(patterns[:, where] == largest, axis=0)

    @classmethod
    def joined(cls, pieces: Sequence[Evidence]) -> Evidence:
        """That of all pieces, which have no pattern in common."""
        whole = cls(pieces[0].lit.shape)
        whole.ceiling = max(piece.ceiling for piece in pieces)
        for piece in pieces:
            whole.patterns += piece.patterns
            whole.lit += piece.lit
            np.minimum(whole.least, piece.least, out=whole.least)
            if piece.ceiling == whole.ceiling:
                whole.at_ceiling += piece.at_ceiling
        return whole


@dataclass(frozen=True)
class Defects:
    """Where the detector does not measure; True = it does not."""

    saturated: Mask  # [ky, kx]
    hot: Mask
    dead: Mask

    @property
    def all(self) -> Mask:
        return self.saturated | self.hot | self.dead

    def __str__(self) -> str:
        kinds = (("saturated", self.saturated), ("hot", self.hot), ("dead", self.dead))
        return "; ".join(f"{np.count_nonzero(mask)} {name} {_places(mask)}" for name, mask in kinds if mask.any())


def find_defects(
    evidence: Evidence, mean_pattern: NDArray[np.float64], dtype: np.dtype[Any], mask: Mask | None
) -> Defects:
    """The defects outside of what `mask` [ky, kx] already excludes. `dtype` is the patterns' own."""
    none = np.zeros(mean_pattern.shape, np.bool_)
    if evidence.patterns < LEAST_PATTERNS:
        return Defects(none, none, none)
    counts = ~none if mask is None else mask
    saturated = counts & saturated_pixels(evidence, dtype)
    return Defects(saturated, counts & _hot(evidence, mean_pattern) & ~saturated, counts & _dead(evidence, counts))


def saturated_pixels(evidence: Evidence, dtype: np.dtype[Any]) -> Mask:
    """Pixels that stand at the largest value that the detector can tell in a tenth of the patterns; dtype is theirs."""
    if not _is_ceiling(evidence.ceiling, dtype):
        return np.zeros(evidence.at_ceiling.shape, np.bool_)
    clipped: Mask = evidence.at_ceiling >= max(3.0, SATURATED_SHARE * evidence.patterns)
    return clipped


def _is_ceiling(value: float, dtype: np.dtype[Any]) -> bool:
    """Whether a detector may be unable to count further: the type's largest number, or 2^k - 1 of its converter."""
    if dtype.kind == "b" or value < LEAST_CEILING or value != int(value):
        return False
    return int(value) & (int(value) + 1) == 0 or (dtype.kind in "iu" and value == np.iinfo(dtype).max)


def _hot(evidence: Evidence, mean: NDArray[np.float64]) -> Mask:
    if min(mean.shape) < 3:
        return np.zeros(mean.shape, np.bool_)
    height, width = mean.shape
    padded = np.pad(mean, 1)
    around = np.stack(
        [padded[y : y + height, x : x + width] for y in range(3) for x in range(3) if (y, x) != (1, 1)]
    )  # [8, ky, kx]
    second = np.partition(around, 6, axis=0)[6]
    alight = (evidence.least > 0) & (evidence.least >= HOT_FLOOR * mean)
    return np.asarray(alight & (mean > HOT_RATIO * second))


def _dead(evidence: Evidence, counts: Mask) -> Mask:
    dark = np.asarray(counts & (evidence.lit == 0))
    seen = evidence.lit >= NEIGHBOURS_SEEN
    if not dark.any():
        return dark
    from scipy import ndimage

    dead = np.zeros(dark.shape, np.bool_)
    dead |= _gaps(dark, seen)
    dead |= _gaps(dark.T, seen.T).T
    around = np.ones((3, 3), np.bool_)
    labels, _ = ndimage.label(dark, around)
    for number, where in enumerate(ndimage.find_objects(labels), 1):
        grown = tuple(slice(max(0, part.start - 1), part.stop + 1) for part in where)
        cluster = np.asarray(labels)[grown] == number
        if np.count_nonzero(cluster) > CLUSTER_PX:
            continue
        ring = ndimage.binary_dilation(cluster, around) & ~cluster & counts[grown]
        if ring.any() and seen[grown][ring].all():
            dead[grown] |= cluster
    return dead


def _gaps(dark: Mask, seen: Mask) -> Mask:
    """Whole rows that are always dark between rows at least half as widely lit as any: gaps between chips.

    Rows between sharp Bragg spots are dark too, but the rows beside them only graze the spots.
    """
    gaps = np.zeros(dark.shape, np.bool_)
    widths = np.count_nonzero(seen, axis=1)
    lit = np.flatnonzero((widths > 0) & (2 * widths >= widths.max(initial=0)))
    whole = np.asarray(dark.all(axis=1))
    for low, high in zip(lit[:-1], lit[1:], strict=True):
        if 1 < high - low <= GAP_PX + 1 and whole[low + 1 : high].all():
            gaps[low + 1 : high] = True
    return gaps


def _places(mask: Mask) -> str:
    found = np.argwhere(mask)
    shown = ", ".join(f"({y}, {x})" for y, x in found[:PLACES_SHOWN])
    return f"at {shown}{', ...' if len(found) > PLACES_SHOWN else ''}"
