"""One streaming pass over the patterns: what they hold, what is wrong with them, and what is done about it."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ptycupy.data.defects import LARGEST_SHARE, Evidence, find_defects
from ptycupy.data.share import ONE, Among, slabs_of
from ptycupy.data.source import PatternSource
from ptycupy.data.tally import Flaw, NegativePolicy, Tally
from ptycupy.data.transform import Cast, ClipNegative, SubtractMinimum
from ptycupy.data.views import MappedSource
from ptycupy.errors import ConfigError, DataError

log = logging.getLogger(__name__)

Normalisation = Literal["max_at_one", "mean_at_one", "sum_to_one", "divide", "none"]
BadPixels = Literal["mask", "ignore", "error"]

SLAB_BYTES = 1 << 25  # of float64 copies, of which a few live at once
RARE_FRACTION = 1e-3  # of non-finite values that are masked rather than refused


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
        return _survey(tally)
    left = ~bad if mask is None else mask & ~bad
    return _survey(_tallied(source, negative, left, always, None, among))


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
) -> Tally:
    tally = Tally(source, negative, mask, always, evidence)
    for part, patterns in slabs_of(source, slab_patterns(source), among):
        tally.add(part.start, patterns)
    return tally if among.size == 1 else Tally.joined(tally, among.exchange(tally.sums))


def _bad(tally: Tally, policy: BadPixels) -> NDArray[np.bool_] | None:
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


def _survey(tally: Tally) -> Survey:
    """What was added up, judged: warnings, and DataError for what cannot be used."""
    name = _name(tally.source)
    nonfinite, negative = tally.nonfinite.flaw(), tally.negative.flaw()
    values = math.prod(tally.source.shape) if tally.mask is None else int(tally.mask.sum()) * tally.source.shape[0]
    _judge_nonfinite(name, nonfinite, values)
    if not tally.filled.any():
        raise DataError(f"{name}: all {tally.source.shape[0]} patterns are zero; is it the right dataset (data.key)?")
    source = _judge_negative(tally, name, negative, values)
    shifted = tally.negative_policy == "subtract_min" and (negative.count > 0 or tally.always)
    offset = -tally.minimum if shifted else 0.0
    totals = tally.totals + offset * tally.pixels
    weights = tally.filled & (totals > 0)
    counts = np.maximum(tally.pattern_counts, 1)
    mean = tally.pattern_sum / counts + offset * (tally.pattern_counts > 0)
    if not weights.any():
        raise DataError(f"{name}: no pattern holds a positive value (largest {tally.maximum:g})")
    if not np.isfinite(totals).all():
        raise DataError(f"{name}: values up to {tally.maximum:g} overflow when they are added; rescale the data")
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
        _supported(tally, source), mean, totals, weights, tally.minimum, tally.maximum, nonfinite, negative, tally.mask
    )  # fmt: skip


def _judge_nonfinite(name: str, flaw: Flaw, values: int) -> None:
    if flaw.count >= RARE_FRACTION * values and flaw.count:
        raise DataError(
            f"{name}: {100 * flaw.count / values:.3g} % of the values are NaN or infinite ({flaw}); "
            f"up to {100 * RARE_FRACTION:g} % would be masked"
        )
    if flaw.count:
        log.warning("%s: NaN or infinite values are masked: %s", name, flaw)


def _judge_negative(tally: Tally, name: str, flaw: Flaw, values: int) -> PatternSource:
    if not flaw.count:
        forced = tally.always and tally.negative_policy == "subtract_min" and tally.minimum != 0
        return MappedSource.of(tally.source, SubtractMinimum(tally.minimum)) if forced else tally.source
    found = f"negative values down to {tally.minimum:g} ({100 * flaw.count / values:.3g} %): {flaw}"
    if tally.negative_policy == "error":
        raise DataError(f"{name}: {found}; data.negative: clip or subtract_min would accept them")
    if tally.negative_policy == "clip":
        log.warning("%s: clipped to 0: %s", name, found)
        return MappedSource.of(tally.source, ClipNegative())
    log.warning("%s: %g is subtracted from every value: %s", name, tally.minimum, found)
    return MappedSource.of(tally.source, SubtractMinimum(tally.minimum))


def _supported(tally: Tally, source: PatternSource) -> PatternSource:
    """Backends take integers up to 32 bits: wider ones are narrowed where they fit, else they become float64."""
    if source.dtype.kind not in "iu" or source.dtype.itemsize <= 4:
        return source
    largest = tally.maximum - min(tally.minimum, 0.0) if tally.negative_policy == "subtract_min" else tally.maximum
    return MappedSource.of(source, Cast(np.dtype(np.uint32 if largest < 2**32 else np.float64)))


def _name(source: PatternSource) -> str:
    where = source.provenance
    return f"{where.path}: {where.key}" if where.key else where.path
