"""The handshake at the start: all ranks must be about to do the same."""

from __future__ import annotations

import socket
from collections.abc import Mapping

from ptycupy.distributed.team import Team
from ptycupy.errors import ResourceError


def shake(team: Team, facts: Mapping[str, str]) -> None:
    """Compares what every rank says of the same things; ResourceError on all of them where two say different things.

    Of facts of several lines, the first line that differs is shown.
    """
    here = socket.gethostname()
    said = team.exchange((here, dict(facts)))
    first_host, first = said[0]
    for rank, (host, other) in enumerate(said):
        for name, value in first.items():
            if other[name] == value:
                continue
            theirs, ours = _first_difference(other[name], value)
            raise ResourceError(
                f"rank {rank} (on {host}) and rank 0 (on {first_host}) do not have the same {name}: "
                f"{theirs or 'nothing'} there, {ours or 'nothing'} here; every rank needs the same configuration, data "
                "and version"
            )


def _first_difference(a: str, b: str) -> tuple[str, str]:
    first, second = a.splitlines(), b.splitlines()
    length = max(len(first), len(second))
    first, second = first + [""] * (length - len(first)), second + [""] * (length - len(second))
    x, y = next((x, y) for x, y in zip(first, second, strict=True) if x != y)
    return x.strip(), y.strip()


__all__ = ["shake"]
