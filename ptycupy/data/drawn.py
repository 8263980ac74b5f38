"""Patterns that chance changes, the same however and in whatever order they are read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.data.source import SourceView


@dataclass(frozen=True)
class DrawnSource(SourceView, ABC):
    """Pattern i draws from the i-th child of `seed`, so that neither order nor slabs change it."""

    seed: np.random.SeedSequence

    def read(self, indices: Sequence[int] | NDArray[np.integer[Any]]) -> NDArray[Any]:
        """Patterns [n, ky, kx] as they were drawn."""
        wanted = np.asarray(indices, dtype=np.int64).reshape(-1)
        return self._all_drawn(wanted, self.base.read(wanted))

    def slabs(self, size: int) -> Iterator[tuple[slice, NDArray[Any]]]:
        """The base's slabs as they were drawn."""
        for part, patterns in self.base.slabs(size):
            yield part, self._all_drawn(np.arange(part.start, part.stop), patterns)

    @abstractmethod
    def _drawn(self, pattern: NDArray[Any], number: int, chance: np.random.Generator) -> NDArray[Any]:
        """One pattern [ky, kx], of this number in the base."""

    def _all_drawn(self, numbers: NDArray[np.int64], patterns: NDArray[Any]) -> NDArray[Any]:
        drawn = np.empty(patterns.shape, self.dtype)
        for target, number, pattern in zip(drawn, numbers.tolist(), patterns, strict=True):
            child = np.random.SeedSequence(self.seed.entropy, spawn_key=(*self.seed.spawn_key, number))
            target[...] = self._drawn(pattern, number, np.random.default_rng(child))
        return drawn
