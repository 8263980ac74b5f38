"""What the experiment takes from the measurement: statistics, normalisation, and how it was cropped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.data.loading import load_mask
from ptycupy.data.preprocess import intensity_scale
from ptycupy.data.preprocess import scan as survey_patterns
from ptycupy.data.transform import CropDetector
from ptycupy.data.views import MappedSource, ScanCrop

if TYPE_CHECKING:
    from ptycupy.config import schema
    from ptycupy.data.source import PatternSource


@dataclass(frozen=True)
class Measured:
    """The patterns as they will be used, in numbers that the experiment is built from."""

    source: PatternSource
    mean_pattern: NDArray[np.float64]  # [ky, kx] in the file's units
    scale: float  # multiplies patterns
    mean_total: float  # total intensity of a pattern after scaling, mean over the patterns that count
    weights: NDArray[np.bool_] | None  # [N], None where every pattern counts
    mask: NDArray[np.bool_] | None  # [ky, kx]
    raw_detector: tuple[int, int]  # px before any crop


def measure(source: PatternSource, data: schema.Data) -> Measured:
    """One pass over all patterns; DataError where they cannot be used."""
    mask = load_mask(data)
    survey = survey_patterns(source, data.negative, mask)
    scale = intensity_scale(survey, data.normalisation)
    return Measured(
        survey.source,
        survey.mean_pattern,
        scale,
        float(survey.total_intensity[survey.weights].mean()) * scale,
        None if survey.weights.all() else survey.weights,
        mask,
        raw_detector_shape(source),
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
