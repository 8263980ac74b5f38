"""What the experiment takes from the measurement: statistics, normalisation, and how it was cropped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.data.loading import load_mask
from ptycupy.data.prepare import prepare, without_negative
from ptycupy.data.preprocess import intensity_scale, slab_patterns
from ptycupy.data.preprocess import scan as survey_patterns
from ptycupy.data.share import ONE, Among, slabs_of
from ptycupy.data.tally import NegativePolicy
from ptycupy.data.thinned import ThinnedSource
from ptycupy.data.transform import CropDetector
from ptycupy.data.views import MappedSource, ScanCrop
from ptycupy.experiment.seeds import sequence

if TYPE_CHECKING:
    from ptycupy.config import schema
    from ptycupy.data.source import PatternSource


@dataclass(frozen=True)
class Measured:
    """The patterns as they will be used, in numbers that the experiment is built from."""

    source: PatternSource
    mean_pattern: NDArray[np.float64] | None  # [ky, kx] in the file's units, before padding, resampling and blurs
    scale: float  # multiplies patterns
    mean_total: float  # total intensity of a pattern after everything, mean over the patterns that count
    weights: NDArray[np.bool_] | None  # [N], None where every pattern counts
    mask: NDArray[np.bool_] | None  # [ky, kx] of the source
    raw_detector: tuple[int, int]  # px before any crop
    detector: tuple[int, int]  # px after padding and resampling: what the model is compared with
    sampling: tuple[float, float]  # pixels (y, x) of that per measured one
    padding: NDArray[np.float64] | None  # [Y, X], still to be put around the patterns
    resampling: tuple[float, float] | None  # (y, x), still to be done
    among: Among = ONE  # who looks at them

    def brightest_total(self) -> float:
        """Total intensity of the brightest pattern after everything; reads them all once more."""
        brightest = 0.0
        for part, patterns in slabs_of(self.source, slab_patterns(self.source), self.among):
            counted = patterns.reshape(len(patterns), -1) if self.mask is None else patterns[:, self.mask]
            totals = counted.sum(axis=1, dtype=np.float64)
            if self.weights is not None:
                totals = totals[self.weights[part]]
            brightest = max(brightest, float(totals.max(initial=0)))
        brightest = float(max(self.among.exchange(brightest)))
        return brightest * self.scale + (0.0 if self.padding is None else float(self.padding.sum()))


def measure(
    source: PatternSource,
    data: schema.Data,
    step: tuple[float, float] | None = None,
    seed: int = 0,
    among: Among = ONE,
) -> Measured:
    """One pass over all patterns, of which each of those who look reads a piece; DataError where they cannot be used.

    `step` (slow, fast) in angstrom is what a blur over the scan and a dose need; `seed` is that of the noise.
    """
    mask = load_mask(data)
    by_value: dict[str, NegativePolicy] = {"clip_value": "clip", "subtract_value": "clip"}
    policy: Any = by_value.get(data.negative, data.negative)
    whole, bad_pixels = source, data.bad_pixels
    if data.thinning is not None:
        if bad_pixels != "ignore":  # a saturated pixel is seen while it holds all of its counts
            mask, bad_pixels = survey_patterns(source, "clip", mask, bad_pixels, among=among).mask, "ignore"
        chance = sequence(data.thinning.seed, "thinning")
        source = ThinnedSource(source, chance, data.thinning.share, data.thinning.rest)
    positive = without_negative(source, data, mask, among)
    survey = survey_patterns(positive, policy, mask, bad_pixels, data.negative_always, among)
    scale = intensity_scale(survey, data.normalisation, data.normalisation_divisor)
    prepared = prepare(survey, data, scale, step, lambda: sequence(seed, "pattern noise"))
    return Measured(
        source=prepared.source,
        mean_pattern=survey.mean_pattern,
        scale=scale,
        mean_total=prepared.mean_total,
        weights=None if survey.weights.all() else survey.weights,
        mask=prepared.mask,
        raw_detector=raw_detector_shape(whole),
        detector=prepared.detector,
        sampling=prepared.sampling,
        padding=prepared.padding,
        resampling=prepared.resampling,
        among=among,
    )


def raw_detector_shape(source: PatternSource) -> tuple[int, int]:
    """The detector's (ky, kx) before it was cropped: what users' calibrations refer to."""
    for view in _views(source):
        if isinstance(view, MappedSource) and isinstance(view.step, CropDetector):
            source = view.base
    return source.shape[1], source.shape[2]


def scan_crop(source: PatternSource) -> ScanCrop | None:
    """The crop of the scan that the patterns went through, if any."""
    return next((view for view in _views(source) if isinstance(view, ScanCrop)), None)


def _views(source: Any) -> list[Any]:
    """The source and all that it is a view of, outermost first."""
    views = [source]
    while isinstance(views[-1], (MappedSource, ScanCrop)):
        views.append(views[-1].base)
    return views
