"""Binomial thinning: the counts that a shorter exposure would have had, and those that are left for another one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.data.drawn import DrawnSource
from ptycupy.data.source import Provenance
from ptycupy.errors import DataError


@dataclass(frozen=True)
class ThinnedSource(DrawnSource):
    """Counts of which each is kept with the probability `share`, or, with `rest`, those that would not be.

    Kept and left counts of one measurement are independent where it counts by Poisson's law; both parts of one seed
    fit together. Reading raises DataError for values that are no counts.
    """

    share: float
    rest: bool

    @property
    def provenance(self) -> Provenance:
        before = self.base.provenance
        step = f"counts {'left by' if self.rest else 'kept by'} a thinning to {100 * self.share:g} %"
        return replace(before, steps=(*before.steps, step))

    def _drawn(self, pattern: NDArray[Any], number: int, chance: np.random.Generator) -> NDArray[Any]:
        counts = pattern.astype(np.int64)
        if (counts != pattern).any() or counts.min(initial=0) < 0:
            raise DataError(
                f"{self.base.provenance.path}: pattern {number} holds values that are no counts (whole and not "
                "negative), so data.thinning cannot divide them; halves of the positions can be had from any data"
            )
        kept = chance.binomial(counts, self.share)
        return counts - kept if self.rest else kept
