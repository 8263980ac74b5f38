"""What ranks settle before they share a reconstruction: that they have the same data, and who has which part of it."""

from __future__ import annotations

import logging

import numpy as np

from ptycupy.backends.interface import Backend
from ptycupy.config.schema import Distributed
from ptycupy.data.source import PatternSource
from ptycupy.distributed.handshake import shake
from ptycupy.distributed.team import Team
from ptycupy.distributed.tiles import Tiles
from ptycupy.errors import ConfigError
from ptycupy.experiment.state import Problem, State
from ptycupy.reconstruction.fingerprint import data_fingerprint
from ptycupy.reconstruction.tiling import begin_tiles
from ptycupy.update.settings import Settings

logger = logging.getLogger(__name__)


def require_same(team: Team, source: PatternSource, backend: Backend) -> None:
    """ResourceError where the ranks have not the same data and kind of device, before they look at them together."""
    shake(
        team,
        {
            "data set": f"{source.shape} {source.dtype}, {source.provenance.size_bytes} bytes\n"
            f"fingerprint {data_fingerprint(source)}",
            "kind of device": f"{backend.name.partition(':')[0]}, {backend.real}",
        },
    )


def share_out(
    team: Team, problem: Problem, state: State, settings: Settings, device: str, how: Distributed
) -> Tiles | None:
    """Gives every rank its positions, and its tile of the object where that is asked for.

    ConfigError where there are more ranks than positions, or where settings cannot do with tiles.
    """
    count = problem.patterns.shape[0]
    used = np.arange(count) if problem.pattern_weights is None else np.flatnonzero(problem.pattern_weights)
    if len(used) < team.size:
        raise ConfigError(f"{team.size} ranks for {len(used)} positions: start at most {len(used)}")
    tiles = None
    if how.object == "tiled":
        tiles = begin_tiles(team, problem, state, settings)
    else:
        team.deal(used.astype(np.int32), alternating=settings.grouping == "compact")
    team.settle(device)
    logger.info("%d ranks with up to %d of %d patterns each", team.size, -(-len(used) // team.size), len(used))
    return tiles


__all__ = ["require_same", "share_out"]
