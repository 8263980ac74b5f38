"""How many patterns a device takes at once."""

from __future__ import annotations

from collections.abc import Collection

from ptycupy.backends.interface import Backend
from ptycupy.model.experiment import Experiment
from ptycupy.model.parameters import Parameters
from ptycupy.planning import bytes_per_pattern
from ptycupy.reconstruction.residency import Residency

SHARE = 0.5  # of the free memory, for the waves of one sub-batch


def patterns_that_fit(
    backend: Backend,
    parameters: Parameters,
    experiment: Experiment,
    refined: Collection[str],
    sharing: int = 1,
    residency: Residency | None = None,
) -> int:
    """The largest sub-batch that memory allows where these fields are refined and so many share it, at least 1."""
    needed = bytes_per_pattern(backend, parameters, experiment, refined)
    free = backend.free_bytes()
    if residency is not None and backend.name == "cpu":
        free = min(free, residency.host_free())
    return max(1, int(SHARE * free / sharing) // needed)
