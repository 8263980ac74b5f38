"""The experiment as arrays: optics, probe, scan, object and calibration, in NumPy and double precision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ptycupy.data.share import ONE, Among
from ptycupy.experiment.optics import electron_wavelength, interaction_constant, xray_wavelength
from ptycupy.experiment.probe import make_probe
from ptycupy.experiment.state import FIELDS, Problem, State

if TYPE_CHECKING:
    from ptycupy.config.schema import Config
    from ptycupy.data.source import PatternSource
    from ptycupy.experiment.measured import Measured


def build(config: Config, source: PatternSource, among: Among = ONE) -> tuple[Problem, State]:
    """The Problem and first State that `config` describes on the patterns of `source`; see assemble.build."""
    from ptycupy.experiment.assemble import build as assemble

    return assemble(config, source, among)


def outline(config: Config, source: PatternSource) -> tuple[Problem, State]:
    """What `build` gives, but for the patterns, of which only shape and type are known; see expected.outline."""
    from ptycupy.experiment.expected import outline as drawn

    return drawn(config, source)


def measure_patterns(config: Config, source: PatternSource) -> Measured:
    """The patterns of `source` as `config` prepares them, without the rest of the experiment."""
    from ptycupy.experiment.assemble import measure_patterns as measured

    return measured(config, source)


__all__ = [
    "FIELDS",
    "Problem",
    "State",
    "build",
    "electron_wavelength",
    "interaction_constant",
    "make_probe",
    "measure_patterns",
    "outline",
    "xray_wavelength",
]
