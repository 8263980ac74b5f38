"""The experiment as arrays: optics, probe, scan, object and calibration, in NumPy and double precision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ptycupy.experiment.optics import electron_wavelength, interaction_constant, xray_wavelength
from ptycupy.experiment.probe import make_probe
from ptycupy.experiment.state import FIELDS, Problem, State

if TYPE_CHECKING:
    from ptycupy.config.schema import Config
    from ptycupy.data.source import PatternSource


def build(config: Config, source: PatternSource) -> tuple[Problem, State]:
    """The Problem and first State that `config` describes on the patterns of `source`; see assemble.build."""
    from ptycupy.experiment.assemble import build as assemble

    return assemble(config, source)


__all__ = [
    "FIELDS",
    "Problem",
    "State",
    "build",
    "electron_wavelength",
    "interaction_constant",
    "make_probe",
    "xray_wavelength",
]
