"""Poisson noise on patterns that have none, the same however and in whatever order they are read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.data.source import Calibration, PatternSource, Provenance


@dataclass(frozen=True)
class NoisySource:
    """Patterns as they would have been counted with a mean of `electrons` each, in the units they came in.

    Pattern i draws from the i-th child of `seed`, so that neither order nor slabs change it. What is not a number
    stays so.
    """

    base: PatternSource
    electrons: float  # per pattern, mean
    mean_total: float  # of a pattern without noise, in the base's units
    seed: np.random.SeedSequence

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.base.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(np.float32)

    @property
    def scan_shape(self) -> tuple[int, int] | None:
        return self.base.scan_shape

    @property
    def calibration(self) -> Calibration:
        return self.base.calibration

    @property
    def provenance(self) -> Provenance:
        before = self.base.provenance
        return replace(before, steps=(*before.steps, f"Poisson noise of {self.electrons:g} electrons per pattern"))

    def read(self, indices: Sequence[int] | NDArray[np.integer[Any]]) -> NDArray[Any]:
        """Patterns [n, ky, kx] with their noise."""
        wanted = np.asarray(indices, dtype=np.int64).reshape(-1)
        return self._noisy(wanted, self.base.read(wanted))

    def slabs(self, size: int) -> Iterator[tuple[slice, NDArray[Any]]]:
        """The base's slabs with their noise."""
        for part, patterns in self.base.slabs(size):
            yield part, self._noisy(np.arange(part.start, part.stop), patterns)

    def _noisy(self, numbers: NDArray[np.int64], patterns: NDArray[Any]) -> NDArray[np.float32]:
        counts_per_unit = self.electrons / self.mean_total
        noisy = np.empty(patterns.shape, np.float32)
        for target, number, pattern in zip(noisy, numbers.tolist(), patterns, strict=True):
            child = np.random.SeedSequence(self.seed.entropy, spawn_key=(*self.seed.spawn_key, number))
            expected = pattern.astype(np.float64) * counts_per_unit
            finite = np.isfinite(expected)
            drawn = np.random.default_rng(child).poisson(np.where(finite, np.maximum(expected, 0), 0))
            target[...] = np.where(finite, drawn / counts_per_unit, np.nan)
        return noisy
