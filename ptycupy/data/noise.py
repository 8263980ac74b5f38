"""Poisson noise on patterns that have none."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.data.drawn import DrawnSource
from ptycupy.data.source import Provenance


@dataclass(frozen=True)
class NoisySource(DrawnSource):
    """Patterns as they would have been counted with a mean of `electrons` each, in the units they came in.

    What is not a number stays so.
    """

    electrons: float  # per pattern, mean
    mean_total: float  # of a pattern without noise, in the base's units

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(np.float32)

    @property
    def provenance(self) -> Provenance:
        before = self.base.provenance
        return replace(before, steps=(*before.steps, f"Poisson noise of {self.electrons:g} electrons per pattern"))

    def _drawn(self, pattern: NDArray[Any], number: int, chance: np.random.Generator) -> NDArray[Any]:
        counts_per_unit = self.electrons / self.mean_total
        expected = pattern.astype(np.float64) * counts_per_unit
        finite = np.isfinite(expected)
        counts = chance.poisson(np.where(finite, np.maximum(expected, 0), 0))
        noisy: NDArray[Any] = np.where(finite, counts / counts_per_unit, np.nan)
        return noisy
