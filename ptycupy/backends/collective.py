"""Sums over the devices of several processes, where a backend has a way of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from ptycupy.backends.interface import Array


class Collective(Protocol):
    """This rank's end of a connection between devices."""

    def add(self, arrays: Sequence[Array]) -> None:
        """Queues that every array, real or complex, becomes its sum over the ranks."""
        ...


class Connector(Protocol):
    """Connects devices."""

    def unique_id(self) -> Any:
        """What one rank makes, and all need to find each other."""
        ...

    def connect(self, unique_id: Any, size: int, rank: int) -> Collective:
        """All ranks do at the same time; ResourceError where it fails."""
        ...


@runtime_checkable
class Connectable(Protocol):
    """A backend whose devices can be connected."""

    def connector(self) -> Connector:
        """ResourceError where what it takes is not installed."""
        ...


__all__ = ["Collective", "Connectable", "Connector"]
