"""Sections on what is done to the measured patterns before they are compared with the model."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ptycupy.config.base import Plausible, Positive, PositiveOrPair, Section, Shape, described

When = Literal["on_the_fly", "precompute"]


class Pad(Section):
    """A larger detector around the measured one, filled with a smooth background that is the same in every pattern."""

    target_shape: Shape = Field(
        description="Detector (y, x) after padding; the beam stays in its centre.",
        examples=[[256, 256]],
        json_schema_extra={"unit": "px"},
    )
    kind: Literal["constant", "edge", "linear_ramp", "exponential", "power"] = described(
        "constant", "How the background's amplitude goes on outwards: a value, the edge's values, a ramp from the edge "
        "to a value, or a fit of a exp(-b r) or a r^-b to the weak part of the mean pattern.",
    )  # fmt: skip
    value: float = described(
        0.0, "Amplitude (root of the normalised intensity) of constant, and at the end of linear_ramp.", ge=0
    )
    threshold_percentile: Annotated[float, Plausible(0.0, 100.0, "%")] = described(
        70.0, "Pixels up to this percentile of the mean pattern's amplitude take part in a fit.", unit="%"
    )
    mode: When = described(
        "on_the_fly", "Padded batch by batch, or once before the run, which takes memory for all padded patterns."
    )


class Resample(Section):
    """Patterns interpolated to another number of pixels over the same angle; their sum is preserved."""

    factors: PositiveOrPair = Field(
        description="New pixels per old one, one number or (y, x); the shape is rounded down.",
        examples=[2.0],
        json_schema_extra={"unit": "of 1"},
    )
    mode: When = described(
        "on_the_fly", "Resampled batch by batch, or once before the run, which takes memory for all of them."
    )


class Thinning(Section):
    """A part of the counts, as a shorter exposure would have them; both parts together are the measurement."""

    share: float = described(0.5, "Probability with which each count is kept.", unit="of 1", gt=0, lt=1)
    rest: bool = described(False, "Take the counts that would not be kept instead: their noise is another one.")
    seed: int = described(0, "Seed of the draw; both parts need the same one.", ge=0)


class Noise(Section):
    """Poisson noise put on patterns that have none, from a dose."""

    electrons: Positive = Field(
        description="Mean number of electrons (or photons), per pattern or per area.",
        examples=[1e4],
        json_schema_extra={"unit": "electrons"},
    )
    per: Literal["pattern", "square_angstrom"] = described(
        "pattern", "What `electrons` is for: a pattern, or a square angstrom of the scan (times the step's area)."
    )
