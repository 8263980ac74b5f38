"""The steps between surveyed patterns and those that are compared with the model, in PtyRAD's order: padding,
resampling, blur over the scan, blur over the detector, noise. All of them are lazy views."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ptycupy.data.blur import BlurDetector, ScanBlur
from ptycupy.data.noise import NoisySource
from ptycupy.data.pad import Float, PadPatterns, background
from ptycupy.data.preprocess import Survey
from ptycupy.data.resample import ResamplePatterns
from ptycupy.data.share import ONE, Among, slabs_of
from ptycupy.data.source import PatternSource
from ptycupy.data.transform import ClipBelow, SubtractValue
from ptycupy.data.views import MappedSource, Step
from ptycupy.errors import ConfigError

if TYPE_CHECKING:
    from ptycupy.config.schema import Data

Mask = NDArray[np.bool_]
Pair = tuple[float, float]
SLAB_PATTERNS = 64


@dataclass(frozen=True)
class Prepared:
    """Patterns ready for the model, and what is left to be done with them batch by batch."""

    source: PatternSource
    mask: Mask | None  # [ky, kx] of the source
    padding: Float | None  # [Y, X] background in normalised units, put around the patterns on the fly
    resampling: Pair | None  # (y, x), applied to the padded patterns on the fly
    detector: tuple[int, int]  # px (y, x) after everything
    sampling: Pair  # detector pixels (y, x) after everything per measured one
    mean_total: float  # normalised intensity of a pattern after everything, mean over the patterns that count


def without_negative(source: PatternSource, data: Data, mask: Mask | None, among: Among = ONE) -> PatternSource:
    """The source after `data.negative` where that goes by a given value; reads patterns until a negative one is found,
    unless `negative_always` spares it that."""
    if data.negative not in ("clip_value", "subtract_value"):
        return source
    if data.negative_value is None:
        raise ConfigError(f"data.negative_value: missing; negative: {data.negative} needs it, for example 2.0")
    if not (data.negative_always or any(among.exchange(_any_negative(source, mask, among)))):
        return source
    step = ClipBelow if data.negative == "clip_value" else SubtractValue
    return MappedSource.of(source, step(data.negative_value))


def _any_negative(source: PatternSource, mask: Mask | None, among: Among) -> bool:
    if source.dtype.kind in "bu":
        return False
    slabs = slabs_of(source, SLAB_PATTERNS, among)
    return any(bool((patterns if mask is None else patterns[:, mask]).min(initial=0) < 0) for _, patterns in slabs)


def prepare(
    survey: Survey, data: Data, scale: float, step: Pair | None, seed: Callable[[], np.random.SeedSequence]
) -> Prepared:
    """What the data section asks for beyond the survey; the patterns are still read lazily.

    `scale` normalises the survey's patterns, `step` is the scan's (slow, fast) in angstrom, `seed` makes the noise's
    seed. Raises ConfigError where something is missing or does not fit, DataError where a background cannot be fitted.
    """
    chain = _Chain(survey.source, survey.mean_pattern, survey.mask)
    pad, resample = data.pad, data.resample
    padding = None if pad is None else background(pad, survey.mean_pattern * scale, survey.mask)
    factors: Pair | None = None
    if resample is not None:
        given = resample.factors
        factors = (given[0], given[1]) if isinstance(given, tuple) else (given, given)
    late_pad = pad is not None and pad.mode == "on_the_fly"
    late_resample = resample is not None and (late_pad or resample.mode == "on_the_fly")
    if padding is not None and not late_pad:
        chain.map(PadPatterns(padding / scale))
    if factors is not None and not late_resample:
        chain.map(ResamplePatterns(factors))
    if data.source_blur_angstrom > 0:
        slow, fast = _step(step, "data.source_blur_angstrom")
        widths = (data.source_blur_angstrom / slow, data.source_blur_angstrom / fast)
        chain.source = ScanBlur(chain.source, widths, None if survey.weights.all() else survey.weights)
    if data.detector_blur_px > 0:
        chain.map(BlurDetector(data.detector_blur_px))
    if data.noise is not None:
        electrons = data.noise.electrons
        if data.noise.per == "square_angstrom":
            slow, fast = _step(step, "data.noise.per: square_angstrom")
            electrons *= slow * fast
        chain.source = NoisySource(chain.source, seed(), electrons, chain.total)
    after = _Chain(chain.source, chain.mean, chain.mask)
    if padding is not None and late_pad:
        after.map(PadPatterns(padding / scale))
    if factors is not None and late_resample:
        after.map(ResamplePatterns(factors))
    return Prepared(
        source=chain.source,
        mask=chain.mask,
        padding=padding if late_pad else None,
        resampling=factors if late_resample else None,
        detector=(after.mean.shape[0], after.mean.shape[1]),
        sampling=factors or (1.0, 1.0),
        mean_total=after.total * scale,
    )


@dataclass
class _Chain:
    """A source with the mean of its patterns and the pixels that count, kept in step."""

    source: PatternSource
    mean: Float  # [ky, kx]
    mask: Mask | None

    def map(self, step: Step) -> None:
        """Adds a step; a pixel counts afterwards where all those count that it is made of."""
        self.source = MappedSource.of(self.source, step)
        self.mean = step(self.mean).astype(np.float64)
        if self.mask is not None:
            counted: Mask = np.isfinite(step(np.where(self.mask, 0.0, np.nan)))
            self.mask = counted

    @property
    def total(self) -> float:
        return float(self.mean.sum() if self.mask is None else self.mean[self.mask].sum())


def _step(step: Pair | None, key: str) -> Pair:
    if step is None:
        raise ConfigError(
            f"{key}: needs the scan's step in angstrom: give scan.step_angstrom, for example 0.43; "
            "the data file does not state it"
        )
    return step
