"""What trials have in common, made once: patterns on the device, and what one pass over them found."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ptycupy import data
from ptycupy.backends.interface import Backend
from ptycupy.config.schema import Config
from ptycupy.data.source import PatternSource
from ptycupy.experiment.assemble import assemble, measure_patterns
from ptycupy.experiment.measured import Measured
from ptycupy.experiment.state import Problem, State
from ptycupy.model.experiment import resident
from ptycupy.model.storage import Resident


class SharedData:
    """Problems of one trial after the other on the same patterns.

    Patterns are read, surveyed and put on the device once, and again only for a trial that changes the section `data`
    (or the scan's step or the seed, where the section has a blur over the scan or noise that goes by them). Geometry,
    probe, positions and object are made anew for every trial: that is what the trial changes.
    """

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.passes = 0  # over all patterns, so far
        self._made_for: Any = None
        self._source: PatternSource | None = None
        self._measured: Measured | None = None
        self._resident: Resident | None = None

    def problem(self, config: Config) -> tuple[Problem, State]:
        """The Problem, with its patterns on the device, and the first State; raises as `experiment.build` does."""
        wanted = self._key(config)
        if wanted != self._made_for or self._source is None or self._measured is None:
            self._made_for, self._resident = None, None  # the old patterns go before the new ones come
            self._source = data.open_source(config.data)
            self._measured = measure_patterns(config, self._source)
            self._made_for = wanted
            self.passes += 1
        problem, state = assemble(config, self._source, self._measured)
        if self._resident is None:
            self._resident = resident(self.backend, problem)
        return replace(problem, patterns=self._resident), state

    @staticmethod
    def _key(config: Config) -> Any:
        section = config.data
        noise, blurred = section.noise, section.source_blur_angstrom > 0
        by_step = blurred or (noise is not None and noise.per == "square_angstrom")
        return (
            section,
            config.scan.step_angstrom if by_step else None,
            config.reconstruction.seed if noise is not None else None,
        )
