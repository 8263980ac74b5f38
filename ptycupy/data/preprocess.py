"""One streaming pass over the patterns: what they hold, what is wrong with them, and what is done about it."""

from __future__ import annotations

import copy
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ptycupy.data.defects import LARGEST_SHARE, Evidence, find_defects
from ptycupy.data.share import ONE, Among, slabs_of
from ptycupy.data.source import PatternSource
from ptycupy.data.transform import Cast, ClipNegative, SubtractMinimum
from ptycupy.data.views import MappedSource
from ptycupy.errors import ConfigError, DataError

log = logging.getLogger(__name__)

NegativePolicy = Literal["clip", "subtract_min", "error"]
Normalisation = Literal["max_at_one", "mean_at_one", "sum_to_one", "divide", "none"]
BadPixels = Literal["mask", "ignore", "error"]

SLAB_BYTES = 1 << 25  # of float64 copies, of which a few live at once
RARE_FRACTION = 1e-3  # of non-finite values that are masked rather than refused
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


@dataclass(frozen=True)
class Survey:
    """The patterns as they will be used, and their statistics over the values that count."""

    source: PatternSource  # negative values dealt with, an element type that backends take
    mean_pattern: NDArray[np.float64]  # [ky, kx], 0 where nothing counts; patterns of weight 0 left out
    total_intensity: NDArray[np.float64]  # [N]
    weights: NDArray[np.bool_]  # [N], False where the pattern is all zero
    minimum: float  # of the finite values, before negative ones were dealt with
    maximum: float
    nonfinite: Flaw
    negative: Flaw
    mask: NDArray[np.bool_] | None  # [ky, kx], the one given without the pixels that do not measure

    @property
    def empty(self) -> NDArray[np.int64]:
        """Indices of the patterns that hold nothing."""
        return np.flatnonzero(~self.weights)


def scan(
    source: PatternSource,
    negative: NegativePolicy = "clip",
    mask: NDArray[np.bool_] | None = None,
    bad_pixels: BadPixels = "ignore",
    always: bool = False,
    among: Among = ONE,
) -> Survey:
    """Reads every pattern once, in slabs; pixels outside `mask` [ky, kx] do not count. Where several processes look,
    each reads a piece, and all get the survey of the whole.

    Non-finite values below 0.1 % and negative values are warned of and taken out of the statistics or clipped;
    backends skip the former. `always` subtracts a minimum that is not negative too. Saturated, hot and dead pixels
    are looked for unless `bad_pixels` ignores them; where `mask` finds some, they are warned of and the patterns read
    a second time without them. DataError for more non-finite values, for negative ones under "error", for bad pixels
    under "error", for all zeros.
    """
    if mask is not None and mask.shape != source.shape[1:]:
        raise DataError(f"{_name(source)}: a mask of {mask.shape} for patterns of {source.shape[1:]}")
    evidence = Evidence(source.shape[1:]) if bad_pixels != "ignore" else None
    tally = _tallied(source, negative, mask, always, evidence, among)
    bad = _bad(tally, bad_pixels)
    if bad is None:
        return tally.survey()
    left = ~bad if mask is None else mask & ~bad
    return _tallied(source, negative, left, always, None, among).survey()


def slab_patterns(source: PatternSource) -> int:
    """How many patterns are looked at together."""
    return max(1, SLAB_BYTES // (8 * math.prod(source.shape[1:])))


def _tallied(
    source: PatternSource,
    negative: NegativePolicy,
    mask: NDArray[np.bool_] | None,
    always: bool,
    evidence: Evidence | None,
    among: Among,
) -> _Tally:
    tally = _Tally(source, negative, mask, always, evidence)
    for part, patterns in slabs_of(source, slab_patterns(source), among):
        tally.add(part.start, patterns)
    return tally if among.size == 1 else _Tally.joined(tally, among.exchange(tally.sums))


def _bad(tally: _Tally, policy: BadPixels) -> NDArray[np.bool_] | None:
    """The pixels to leave out, None where there are none."""
    if tally.evidence is None:
        return None
    name = _name(tally.source)
    mean = tally.pattern_sum / np.maximum(tally.pattern_counts, 1)
    found = find_defects(tally.evidence, mean, tally.source.dtype, tally.mask)
    clipped = int(np.count_nonzero(found.saturated))
    if clipped > max(4.0, LARGEST_SHARE * found.saturated.size):
        log.warning(
            "%s: %d pixels, %.2g %% of the detector, stand at its largest value %g in many patterns: the exposure is "
            "clipped; they count all the same, data.mask_path can leave them out",
            name, clipped, 100 * clipped / found.saturated.size, tally.evidence.ceiling,
        )  # fmt: skip
        found = replace(found, saturated=np.zeros_like(found.saturated))
    if not found.all.any():
        return None
    if policy == "error":
        raise DataError(
            f"{name}: pixels (y, x) that do not measure: {found}; data.bad_pixels: mask would leave them out"
        )
    log.warning("%s: pixels (y, x) that do not measure are masked: %s; data.bad_pixels: ignore keeps them", name, found)
    return found.all


def intensity_scale(survey: Survey, mode: Normalisation = "max_at_one", divisor: float | None = None) -> float:
    """The factor on the patterns that brings the mean pattern's maximum, mean or sum to 1 ("none": 1.0; "divide":
    1 / divisor)."""
    if mode == "none":
        return 1.0
    if mode == "divide":
        if divisor is None:
            raise ConfigError("data.normalisation_divisor: missing; normalisation: divide needs it, for example 1000.0")
        return 1.0 / divisor
    mean = survey.mean_pattern
    reference = {"max_at_one": float(mean.max()), "mean_at_one": float(mean.mean()), "sum_to_one": float(mean.sum())}[
        mode
    ]
    if not (math.isfinite(reference) and reference > 0):
        raise DataError(
            f"{_name(survey.source)}: normalisation {mode} of a mean pattern with {reference} is impossible"
        )
    return 1.0 / reference


@dataclass
class _FlawCount:
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
    def joined(cls, counts: Sequence[_FlawCount]) -> _FlawCount:
        """That of all pieces, which are in order."""
        places = [place for count in counts for place in count.places]
        return cls(sum(c.count for c in counts), sum(c.patterns for c in counts), places[:PLACES_SHOWN])

    def flaw(self) -> Flaw:
        return Flaw(self.count, self.patterns, tuple(self.places))


@dataclass(frozen=True)
class _Sums:
    """A _Tally without its source."""

    added: tuple[NDArray[Any], ...]
    range: tuple[float, float]
    flaws: tuple[_FlawCount, _FlawCount]
    evidence: Evidence | None


class _Tally:
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
        self.nonfinite, self.negative = _FlawCount(), _FlawCount()

    @property
    def sums(self) -> _Sums:
        """What there is to tell of a piece."""
        return _Sums(
            added=(self.pattern_sum, self.pattern_counts, self.totals, self.pixels, self.filled),
            range=(self.minimum, self.maximum),
            flaws=(self.nonfinite, self.negative),
            evidence=self.evidence,
        )

    @classmethod
    def joined(cls, tally: _Tally, pieces: Sequence[_Sums]) -> _Tally:
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
        whole.nonfinite, whole.negative = (_FlawCount.joined([piece.flaws[i] for piece in pieces]) for i in range(2))
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

    def survey(self) -> Survey:
        name = _name(self.source)
        nonfinite, negative = self.nonfinite.flaw(), self.negative.flaw()
        values = math.prod(self.source.shape) if self.mask is None else int(self.mask.sum()) * self.source.shape[0]
        self._judge_nonfinite(name, nonfinite, values)
        if not self.filled.any():
            raise DataError(
                f"{name}: all {self.source.shape[0]} patterns are zero; is it the right dataset (data.key)?"
            )
        source = self._judge_negative(name, negative, values)
        shifted = self.negative_policy == "subtract_min" and (negative.count > 0 or self.always)
        offset = -self.minimum if shifted else 0.0
        totals = self.totals + offset * self.pixels
        weights = self.filled & (totals > 0)
        counts = np.maximum(self.pattern_counts, 1)
        mean = self.pattern_sum / counts + offset * (self.pattern_counts > 0)
        if not weights.any():
            raise DataError(f"{name}: no pattern holds a positive value (largest {self.maximum:g})")
        if not np.isfinite(totals).all():
            raise DataError(f"{name}: values up to {self.maximum:g} overflow when they are added; rescale the data")
        if not weights.all():
            empty = np.flatnonzero(~weights)
            shown = ", ".join(str(index) for index in empty[:10])
            log.warning(
                "%s: %d of %d patterns are all zero and get weight 0: %s%s",
                name, empty.size, weights.size, shown, ", ..." if empty.size > 10 else "",
            )  # fmt: skip
        brightest = float(mean.max())
        if brightest > 1e12 or brightest < 1e-9:
            log.warning(
                "%s: the mean pattern's largest value is %g: check the units; it is normalised all the same",
                name, brightest,
            )  # fmt: skip
        return Survey(
            self._supported(source), mean, totals, weights, self.minimum, self.maximum, nonfinite, negative, self.mask
        )  # fmt: skip

    def _judge_nonfinite(self, name: str, flaw: Flaw, values: int) -> None:
        if flaw.count >= RARE_FRACTION * values and flaw.count:
            raise DataError(
                f"{name}: {100 * flaw.count / values:.3g} % of the values are NaN or infinite ({flaw}); "
                f"up to {100 * RARE_FRACTION:g} % would be masked"
            )
        if flaw.count:
            log.warning("%s: NaN or infinite values are masked: %s", name, flaw)

    def _judge_negative(self, name: str, flaw: Flaw, values: int) -> PatternSource:
        if not flaw.count:
            forced = self.always and self.negative_policy == "subtract_min" and self.minimum != 0
            return MappedSource.of(self.source, SubtractMinimum(self.minimum)) if forced else self.source
        found = f"negative values down to {self.minimum:g} ({100 * flaw.count / values:.3g} %): {flaw}"
        if self.negative_policy == "error":
            raise DataError(f"{name}: {found}; data.negative: clip or subtract_min would accept them")
        if self.negative_policy == "clip":
            log.warning("%s: clipped to 0: %s", name, found)
            return MappedSource.of(self.source, ClipNegative())
        log.warning("%s: %g is subtracted from every value: %s", name, self.minimum, found)
        return MappedSource.of(self.source, SubtractMinimum(self.minimum))

    def _supported(self, source: PatternSource) -> PatternSource:
        """Backends take integers up to 32 bits: wider ones are narrowed where they fit, else they become float64."""
        if source.dtype.kind not in "iu" or source.dtype.itemsize <= 4:
            return source
        largest = self.maximum - min(self.minimum, 0.0) if self.negative_policy == "subtract_min" else self.maximum
        return MappedSource.of(source, Cast(np.dtype(np.uint32 if largest < 2**32 else np.float64)))


def _name(source: PatternSource) -> str:
    where = source.provenance
    return f"{where.path}: {where.key}" if where.key else where.path
