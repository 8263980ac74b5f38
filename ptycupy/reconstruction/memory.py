"""How many patterns a device takes at once."""

from __future__ import annotations

from collections.abc import Collection

from ptycupy.backends.interface import Backend
from ptycupy.model.experiment import Experiment
from ptycupy.model.parameters import Parameters
from ptycupy.planning import bytes_per_pattern
from ptycupy.reconstruction.residency import Residency

SHARE = 0.5  # of the free memory, for the waves of one sub-batch
PLENTY = 1 << 30  # bytes of waves that keep any GPU busy: more make nothing faster where parts cost no further pass


def patterns_that_fit(
    backend: Backend,
    parameters: Parameters,
    experiment: Experiment,
    refined: Collection[str],
    sharing: int = 1,
    residency: Residency | None = None,
    *,
    in_one_pass: bool = False,
) -> int:
    """The largest sub-batch that is worth its memory where these fields are refined and so many share it, at least 1.

    Where a batch in parts runs `in_one_pass`, 1 GiB of a GPU is enough.
    """
    needed = bytes_per_pattern(backend, parameters, experiment, refined)
    free = backend.free_bytes()
    if residency is not None and backend.name == "cpu":
        free = min(free, residency.host_free())
    return max(1, room_for_waves(free / sharing, on_gpu=backend.queues, in_one_pass=in_one_pass) // needed)


def room_for_waves(free: float, *, on_gpu: bool, in_one_pass: bool) -> int:
    """Bytes of the free ones that are for the waves of one sub-batch."""
    room = int(SHARE * free)
    return min(room, PLENTY) if on_gpu and in_one_pass else room
