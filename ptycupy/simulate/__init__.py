"""Simulated data sets: atoms or a phantom through the engine's own forward model."""

from ptycupy.simulate.simulate import Progress, simulate
from ptycupy.storage.scan import SimulatedScan

__all__ = ["Progress", "SimulatedScan", "simulate"]
