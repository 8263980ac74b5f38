"""The experiment of a file that is still being written: measured on the patterns it begins with, built for all."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ptycupy.data.growing import beginning, rebased
from ptycupy.data.transform import ClipNegative
from ptycupy.data.views import MappedSource
from ptycupy.experiment.assemble import assemble, measure_patterns
from ptycupy.experiment.measured import raw_detector_shape
from ptycupy.experiment.selection import with_selection
from ptycupy.experiment.state import Problem, State

if TYPE_CHECKING:
    from ptycupy.config import schema
    from ptycupy.data.source import PatternSource


def build_following(config: schema.Config, source: PatternSource, count: int) -> tuple[Problem, State]:
    """What `assemble.build` makes of a growing source whose first `count` patterns are there.

    They give normalisation, probe intensity and mask; only they have a weight yet. Raises what `build` raises.
    """
    if source.dtype.kind in "if":  # what comes may be negative even where the beginning is not
        source = MappedSource.of(source, ClipNegative())
    prefix = beginning(source, count)
    measured = measure_patterns(config, prefix)
    weights = np.zeros(source.shape[0], np.bool_)
    weights[:count] = True if measured.weights is None else measured.weights
    whole = replace(
        measured,
        source=rebased(measured.source, prefix),
        weights=weights,
        raw_detector=raw_detector_shape(source),
    )
    problem, state = assemble(config, source, whole)
    problem = with_selection(problem, config.reconstruction)
    return replace(problem, pattern_storage="dense"), state  # what is still to come cannot be packed
