"""The experiment that a configuration describes, before its patterns are read."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.data.counts import PackedPatterns, Storage, count_of, expected
from ptycupy.data.source import ArraySource, PatternSource
from ptycupy.data.views import MappedSource
from ptycupy.experiment.assemble import assemble, measure_patterns
from ptycupy.experiment.measured import Measured, raw_detector_shape
from ptycupy.experiment.selection import with_selection
from ptycupy.experiment.state import Problem, State

if TYPE_CHECKING:
    from ptycupy.config import schema

SAMPLE = 16  # patterns that are read where the pixel size is fitted to them, and to see how small all of them become


def outline(config: schema.Config, source: PatternSource) -> tuple[Problem, State]:
    """Problem and State as assemble.build gives them: all shapes, positions and the canvas as they will be.

    Patterns are one value everywhere, in no memory, and so are statistics: intensities, weights and found pixels are
    not those of the data. A few patterns are read where calibration.mode is fitted_disk, and where data.device_storage
    may pack them. Raises as assemble.build does.
    """
    count, height, width = source.shape
    flat = np.broadcast_to(np.ones((), source.dtype), (1, height, width))
    # What changes values and no shape is left out: it would ask for neighbours, or find all pixels alike.
    values: dict[str, Any] = {
        "source_blur_angstrom": 0.0, "noise": None, "thinning": None,
        "bad_pixels": "ignore", "normalisation": "none", "negative": "clip",
    }  # fmt: skip
    plain = config.model_copy(update={"data": config.data.model_copy(update=values)})
    measured = measure_patterns(plain, ArraySource(flat, calibration=source.calibration))
    mean = None
    if config.calibration.mode == "fitted_disk":
        mean = np.asarray(_sample(source), float).mean(0)
    drawn = replace(measured, mean_pattern=mean, raw_detector=raw_detector_shape(source))
    problem, state = assemble(config, source, drawn)
    problem = with_selection(problem, config.reconstruction)
    changed = config.data.source_blur_angstrom > 0 or config.data.noise is not None
    if not changed and config.data.device_storage != "dense":
        packed = _packed(source, measured, config.data.device_storage)
        if packed is not None:
            return replace(problem, patterns=packed), state
    kind = np.dtype(np.float32) if changed else measured.source.dtype
    patterns = np.broadcast_to(np.zeros((), kind), (count, *measured.source.shape[1:]))
    return replace(problem, patterns=patterns, pattern_storage="dense"), state  # that they are all 0 is no news


def _sample(source: PatternSource) -> NDArray[Any]:
    """Some patterns, spread over the scan."""
    count = source.shape[0]
    return source.read(np.unique(np.linspace(0, count - 1, min(SAMPLE, count)).astype(int)))


def _packed(source: PatternSource, measured: Measured, storage: Storage) -> PackedPatterns | None:
    """What all patterns take if they are like some of them, in no memory; None where they stay as they came."""
    patterns, view, steps = _sample(source), measured.source, []
    while isinstance(view, MappedSource):
        steps.append(view.step)
        view = view.base
    for step in reversed(steps):
        patterns = step(patterns)
    patterns = np.maximum(patterns, patterns.dtype.type(0))  # what clipping would leave
    mask = np.ones(patterns.shape[1:], bool) if measured.mask is None else measured.mask
    census = count_of(ArraySource(patterns), mask, np.ones(len(patterns), bool))
    if census.largest == 0:  # nothing, which says nothing
        return None
    census = census.scaled(source.shape[0])
    bits = census.choose(storage, source.provenance.path)
    return None if bits is None else expected(census, bits)


__all__ = ["SAMPLE", "outline"]
