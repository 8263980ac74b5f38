"""How arrays of all ranks are added up: through the host, by an MPI that reads GPU memory, or by NCCL."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Literal

from ptycupy.backends.collective import Collective, Connectable, Connector
from ptycupy.backends.interface import Array, Backend
from ptycupy.distributed.comm import Comm
from ptycupy.distributed.team import Reducer, Team
from ptycupy.errors import ConfigError, ResourceError

logger = logging.getLogger(__name__)
Way = Literal["auto", "host", "cuda_aware", "nccl"]
KEY = "distributed.reduce"


class DeviceReducer:
    """Sums by an MPI that takes addresses of GPU memory, in whatever order it adds."""

    def __init__(self, comm: Comm) -> None:
        self._comm = comm

    def add(self, backend: Backend, arrays: Sequence[Array]) -> None:
        backend.synchronize()  # MPI knows nothing of streams
        for array in arrays:
            self._comm.add_on_device(array)


class ConnectedReducer:
    """Sums between devices, queued behind what made the arrays."""

    def __init__(self, collective: Collective) -> None:
        self._collective = collective

    def add(self, backend: Backend, arrays: Sequence[Array]) -> None:
        self._collective.add(arrays)


def choose(team: Team, backend: Backend, way: Way, deterministic: bool) -> Reducer:
    """The Reducer that is asked for; `auto` connects GPUs directly where every rank has one of its own and the bits
    need not be the same in every run, and goes through the host otherwise.

    Raises ConfigError where what is asked for cannot be `deterministic`, ResourceError where some rank cannot do it.
    """
    if way in ("nccl", "cuda_aware") and deterministic:
        raise ConfigError(f"{KEY}: {way} adds in an order of its own; backend.deterministic needs host, or auto")
    if way == "host" or (way == "auto" and deterministic):
        return team.host
    connector, obstacle = _connector(team, backend, way)
    obstacles = [(rank, found) for rank, found in enumerate(team.exchange(obstacle)) if found]
    if obstacles and way == "auto":
        return team.host
    if obstacles:
        raise ResourceError(f"{KEY}: {way} is impossible: rank {obstacles[0][0]}: {obstacles[0][1]}; auto takes host")
    if connector is None:
        return DeviceReducer(team.comm)
    unique_id = team.from_first(connector.unique_id() if team.rank == 0 else None)
    collective = connector.connect(unique_id, team.size, team.rank)
    logger.info("gradients are added up between GPUs")
    return ConnectedReducer(collective)


def _connector(team: Team, backend: Backend, way: Way) -> tuple[Connector | None, str]:
    """What connects this rank's device, or why nothing does."""
    if not backend.name.startswith("cuda"):
        return None, f"it computes on the {backend.name}"
    if way == "cuda_aware":
        return None, ""
    if team.sharing > 1:
        return None, f"{team.sharing} ranks share {backend.name}"
    if not isinstance(backend, Connectable):
        return None, f"{backend.name} has no connector"
    try:
        return backend.connector(), ""
    except ResourceError as error:
        return None, str(error)


__all__ = ["ConnectedReducer", "DeviceReducer", "choose"]
