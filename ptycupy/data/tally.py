"""What one pass over the patterns adds up: slab by slab, and piece by piece where several processes look."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ptycupy.data.defects import Evidence
from ptycupy.data.source import PatternSource

NegativePolicy = Literal["clip", "subtract_min", "error"]
PLACES_SHOWN = 3


@dataclass(frozen=True)
class Flaw:
    """Values that should not be there: how many, in how many patterns, and where the first ones are."""

    count: int = 0
    patterns: int = 0
    places: tuple[tuple[int, int, int], ...] = ()  # (pattern, ky, kx)

    def __str__(self) -> str:
        first = ", ".join(f"pattern {n} pixel ({y}, {x})" for n, y, x in self.places)
        return f"{self.count} in {self.patterns} patterns, the first at {first}"


@dataclass
class FlawCount:
    """A Flaw that grows."""

    count: int = 0
    patterns: int = 0
    places: list[tuple[int, int, int]] = field(default_factory=list)

    def add(self, start: int, wrong: NDArray[np.bool_]) -> None:
        per_pattern = np.count_nonzero(wrong, axis=(1, 2))
        self.count += int(per_pattern.sum())
        self.patterns += int(np.count_nonzero(per_pattern))
        for index in np.flatnonzero(per_pattern)[:PLACES_SHOWN]:
            for y, x in np.argwhere(wrong[index])[: PLACES_SHOWN - len(self.places)]:
                self.places.append((start + int(index), int(y), int(x)))

    @classmethod
    def joined(cls, counts: Sequence[FlawCount]) -> FlawCount:
        """That of all pieces, which are in order."""
        places = [place for count in counts for place in count.places]
        return cls(sum(c.count for c in counts), sum(c.patterns for c in counts), places[:PLACES_SHOWN])

    def flaw(self) -> Flaw:
        return Flaw(self.count, self.patterns, tuple(self.places))


@dataclass(frozen=True)
class Sums:
    """A Tally without its source."""

    added: tuple[NDArray[Any], ...]
    range: tuple[float, float]
    flaws: tuple[FlawCount, FlawCount]
    evidence: Evidence | None


class Tally:
    """Sums that grow slab by slab; nothing larger than a slab and a few patterns is kept."""

    def __init__(
        self,
        source: PatternSource,
        negative: NegativePolicy,
        mask: NDArray[np.bool_] | None,
        always: bool,
        evidence: Evidence | None,
    ) -> None:
        count, ky, kx = source.shape
        self.source, self.negative_policy, self.mask = source, negative, mask
        self.always, self.evidence = always, evidence
        self.pattern_sum = np.zeros((ky, kx))
        self.pattern_counts = np.zeros((ky, kx), np.int64)
        self.totals = np.zeros(count)
        self.pixels = np.zeros(count, np.int64)  # counted in each pattern
        self.filled = np.zeros(count, np.bool_)
        self.minimum, self.maximum = math.inf, -math.inf
        self.nonfinite, self.negative = FlawCount(), FlawCount()

    @property
    def sums(self) -> Sums:
        """What there is to tell of a piece."""
        return Sums(
            added=(self.pattern_sum, self.pattern_counts, self.totals, self.pixels, self.filled),
            range=(self.minimum, self.maximum),
            flaws=(self.nonfinite, self.negative),
            evidence=self.evidence,
        )

    @classmethod
    def joined(cls, tally: Tally, pieces: Sequence[Sums]) -> Tally:
        """That of all pieces, which have no pattern in common."""
        first, *others = pieces
        whole = copy.copy(tally)
        added = [np.array(array) for array in first.added]
        for piece in others:
            for target, array in zip(added, piece.added, strict=True):
                target += array
        whole.pattern_sum, whole.pattern_counts, whole.totals, whole.pixels, whole.filled = added
        whole.minimum = min(piece.range[0] for piece in pieces)
        whole.maximum = max(piece.range[1] for piece in pieces)
        whole.nonfinite, whole.negative = (FlawCount.joined([piece.flaws[i] for piece in pieces]) for i in range(2))
        found = [piece.evidence for piece in pieces if piece.evidence is not None]
        whole.evidence = Evidence.joined(found) if found else None
        return whole

    def add(self, start: int, patterns: NDArray[Any]) -> None:
        part = slice(start, start + len(patterns))
        counted = None if self.mask is None else np.broadcast_to(self.mask, patterns.shape)
        if patterns.dtype.kind == "f":
            finite = np.isfinite(patterns)
            if not finite.all():
                self.nonfinite.add(start, ~finite if counted is None else ~finite & counted)
                counted = finite if counted is None else finite & counted
        if counted is not None:
            patterns = np.where(counted, patterns, patterns.dtype.type(0))
        if counted is None or counted.any():
            values = patterns if counted is None else patterns[counted]
            self.minimum, self.maximum = min(self.minimum, float(values.min())), max(self.maximum, float(values.max()))
        if patterns.dtype.kind in "if" and self.minimum < 0:
            below = patterns < 0
            self.negative.add(start, below)
            if self.negative_policy == "clip":
                patterns = np.where(below, patterns.dtype.type(0), patterns)
        if self.evidence is not None:
            self.evidence.add(patterns)
        filled = (patterns != 0).any(axis=(1, 2))
        with np.errstate(over="ignore"):
            totals = patterns.sum(axis=(1, 2), dtype=np.float64)
            self.pattern_sum += patterns.sum(axis=0, dtype=np.float64)
        self.totals[part], self.filled[part] = totals, filled
        if counted is None:
            self.pattern_counts += np.count_nonzero(filled)
            self.pixels[part] = patterns[0].size
        else:
            self.pattern_counts += np.count_nonzero(counted & filled[:, None, None], axis=0)
            self.pixels[part] = np.count_nonzero(counted, axis=(1, 2))
