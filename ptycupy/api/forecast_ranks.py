"""The forecast of one of several ranks, the one that has most to hold, without the others."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ptycupy.api.forecast import Forecast
from ptycupy.api.sharing import share_out
from ptycupy.config.schema import Distributed
from ptycupy.data.counts import PackedPatterns
from ptycupy.data.files import human
from ptycupy.distributed.team import Team
from ptycupy.distributed.tiles import Tiles
from ptycupy.errors import ConfigError
from ptycupy.experiment.state import Problem, State
from ptycupy.planning import Ceilings, Counting
from ptycupy.planning.exchange import CountedComm, CountedSums, Traffic
from ptycupy.update.settings import Settings


@dataclass(frozen=True)
class Exchange:
    """What ranks have and what they tell each other."""

    ranks: int
    patterns: int  # of this one
    tile: tuple[int, int] | None  # px, where the object lies in tiles
    canvas: tuple[int, int]
    update: Traffic  # in every update
    end: Traffic  # at the end of an iteration
    seconds: tuple[float, float]  # of both
    link_bytes_per_second: float

    @property
    def lines(self) -> list[tuple[str, str]]:
        """For `ptycupy plan`."""
        part = "the whole object"
        if self.tile is not None:
            share = 100 * self.tile[0] * self.tile[1] / (self.canvas[0] * self.canvas[1])
            part = f"a tile of {self.tile[0]} x {self.tile[1]} px, {share:.0f} % of the object"
        kept = "with the largest tile" if self.tile is not None else "with most of it"
        return [
            (
                "ranks",
                f"{self.ranks}, each with a device like this one; memory and seconds below are of the one {kept}: "
                f"{self.patterns} patterns and {part}",
            ),
            ("exchange", f"in an update {_told(self.update)}: {self.seconds[0]:.3g} s"),
            (
                "",
                f"at an iteration's end {_told(self.end)}: {self.seconds[1]:.3g} s (at "
                f"{self.link_bytes_per_second / 1e9:.3g} GB/s between ranks, through the host)",
            ),
        ]


def _told(traffic: Traffic) -> str:
    return f"sums of {human(traffic.summed)} and {human(traffic.passed)} from rank to rank"


def forecast_of(
    problem: Problem, state: State, settings: Settings, counted: Counting, ranks: int, how: Distributed
) -> Forecast:
    """That of one process, or of the rank with the largest tile; ConfigError as `share_out` raises it."""
    if ranks < 1:
        raise ConfigError(f"ranks: {ranks} must be at least 1")
    if ranks == 1:
        return Forecast(problem, state, settings, counted)
    packed = None
    if isinstance(problem.patterns, PackedPatterns):  # of which no rank can take a part: they are not there
        packed = problem.patterns
        patterns = np.broadcast_to(np.zeros((), packed.dtype), packed.shape)
        problem = replace(problem, patterns=patterns, pattern_storage="dense")
    team, tiles = _shared(0, problem, state, settings, counted, ranks, how)
    if tiles is not None:
        sizes = tiles.layout.tiles[:, 1] - tiles.layout.tiles[:, 0]
        team, tiles = _shared(int(np.argmax(sizes.prod(axis=1))), problem, state, settings, counted, ranks, how)
    return Forecast(problem, state, settings, counted, team, tiles, packed)


def exchange_of(forecast: Forecast, machine: Ceilings) -> Exchange | None:
    """None of one process."""
    if forecast.team is None:
        return None
    tiles = forecast.engine.tiles
    update, end = forecast.traffic
    return Exchange(
        ranks=forecast.team.size,
        patterns=forecast.held,
        tile=None if tiles is None else tiles.shape,
        canvas=forecast.canvas,
        update=update,
        end=end,
        seconds=(update.seconds(machine, forecast.team.size), end.seconds(machine, forecast.team.size)),
        link_bytes_per_second=machine.link_bytes_per_second,
    )


def _shared(
    rank: int, problem: Problem, state: State, settings: Settings, counted: Counting, ranks: int, how: Distributed
) -> tuple[Team, Tiles | None]:
    comm = CountedComm(rank, ranks)
    team = Team(comm)
    team.reducer = CountedSums(comm)
    tiles = share_out(team, problem, state, settings, counted.name, how)
    team.sharing = 1  # each has a device of its own
    return team, tiles


__all__ = ["Exchange", "exchange_of", "forecast_of"]
