"""Binomial thinning: the counts that a shorter exposure would have had, and those that are left for another one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.data.source import Calibration, PatternSource, Provenance
from ptycupy.errors import DataError


@dataclass(frozen=True)
class ThinnedSource:
    """Counts of which each is kept with the probability `share`, or, with `rest`, those that would not be.

    Kept and left counts of one measurement are independent where it counts by Poisson's law. Pattern i draws from the
    i-th child of `seed`, so that neither order nor slabs change it, and both parts fit together. Reading raises
    DataError for values that are no counts.
    """

    base: PatternSource
    share: float
    rest: bool
    seed: np.random.SeedSequence

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.base.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.base.dtype

    @property
    def scan_shape(self) -> tuple[int, int] | None:
        return self.base.scan_shape

    @property
    def calibration(self) -> Calibration:
        return self.base.calibration

    @property
    def provenance(self) -> Provenance:
        before = self.base.provenance
        step = f"counts {'left by' if self.rest else 'kept by'} a thinning to {100 * self.share:g} %"
        return replace(before, steps=(*before.steps, step))

    def read(self, indices: Sequence[int] | NDArray[np.integer[Any]]) -> NDArray[Any]:
        """Patterns [n, ky, kx] with their part of the counts."""
        wanted = np.asarray(indices, dtype=np.int64).reshape(-1)
        return self._thinned(wanted, self.base.read(wanted))

    def slabs(self, size: int) -> Iterator[tuple[slice, NDArray[Any]]]:
        """The base's slabs with their part of the counts."""
        for part, patterns in self.base.slabs(size):
            yield part, self._thinned(np.arange(part.start, part.stop), patterns)

    def _thinned(self, numbers: NDArray[np.int64], patterns: NDArray[Any]) -> NDArray[Any]:
        found = np.empty(patterns.shape, patterns.dtype)
        for target, number, pattern in zip(found, numbers.tolist(), patterns, strict=True):
            counts = pattern.astype(np.int64)
            if (counts != pattern).any() or counts.min(initial=0) < 0:
                raise DataError(
                    f"{self.base.provenance.path}: pattern {number} holds values that are no counts (whole and not "
                    "negative), so data.thinning cannot divide them; halves of the positions can be had from any data"
                )
            child = np.random.SeedSequence(self.seed.entropy, spawn_key=(*self.seed.spawn_key, number))
            kept = np.random.default_rng(child).binomial(counts, self.share)
            target[...] = counts - kept if self.rest else kept
        return found
