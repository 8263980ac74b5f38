"""How many patterns a device takes at once."""

from __future__ import annotations

from collections.abc import Collection

from ptycupy.backends.interface import Backend
from ptycupy.model.experiment import Experiment
from ptycupy.model.parameters import Parameters
from ptycupy.planning import bytes_per_pattern

SHARE = 0.5  # of the free memory, for the waves of one sub-batch


def patterns_that_fit(
    backend: Backend, parameters: Parameters, experiment: Experiment, refined: Collection[str], sharing: int = 1
) -> int:
    """The largest sub-batch that memory allows where these fields are refined and so many share it, at least 1."""
    needed = bytes_per_pattern(backend, parameters, experiment, refined)
    return max(1, int(SHARE * backend.free_bytes() / sharing) // needed)
