"""The experiment that a configuration describes, before its patterns are read."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ptycupy.data.source import ArraySource, PatternSource
from ptycupy.experiment.assemble import assemble, measure_patterns
from ptycupy.experiment.measured import raw_detector_shape
from ptycupy.experiment.state import Problem, State

if TYPE_CHECKING:
    from ptycupy.config import schema

SAMPLE = 16  # patterns that are read where the pixel size is fitted to them


def outline(config: schema.Config, source: PatternSource) -> tuple[Problem, State]:
    """Problem and State as assemble.build gives them: all shapes, positions and the canvas as they will be.

    Patterns are one value everywhere, in no memory, and so are statistics: intensities, weights and found pixels are
    not those of the data. Only calibration.mode: fitted_disk reads a few patterns. Raises as assemble.build does.
    """
    count, height, width = source.shape
    flat = np.broadcast_to(np.ones((), source.dtype), (1, height, width))
    # What changes values and no shape is left out: it would ask for neighbours, or find all pixels alike.
    values: dict[str, Any] = {
        "source_blur_angstrom": 0.0, "noise": None, "bad_pixels": "ignore", "normalisation": "none", "negative": "clip",
    }  # fmt: skip
    plain = config.model_copy(update={"data": config.data.model_copy(update=values)})
    measured = measure_patterns(plain, ArraySource(flat, calibration=source.calibration))
    mean = None
    if config.calibration.mode == "fitted_disk":
        mean = np.asarray(source.read(np.unique(np.linspace(0, count - 1, SAMPLE).astype(int))), float).mean(0)
    expected = replace(measured, mean_pattern=mean, raw_detector=raw_detector_shape(source))
    problem, state = assemble(config, source, expected)
    changed = config.data.source_blur_angstrom > 0 or config.data.noise is not None
    kind = np.dtype(np.float32) if changed else measured.source.dtype
    return replace(problem, patterns=np.broadcast_to(np.zeros((), kind), (count, *measured.source.shape[1:]))), state


__all__ = ["SAMPLE", "outline"]
