"""What watches a run: the engine calls it between batches, after each finished iteration and at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from ptycupy.storage.snapshot import History

if TYPE_CHECKING:
    from ptycupy.reconstruction.engine import Engine


class Running(Protocol):
    """What an engine and a joint one have in common for those that watch."""

    @property
    def iteration(self) -> int: ...
    @property
    def history(self) -> History: ...


class Callback(Protocol):
    """It may set `engine.stop_requested`, and `on_iteration` may change the state.

    A class that derives from it defines the calls that it needs; the others do nothing.
    """

    def on_batch(self, engine: Engine, number: int, batches: int) -> None:
        """After batch `number` of `batches`, counted from 1."""

    def on_iteration(self, engine: Engine) -> None:
        """After the constraints and the history of a finished iteration."""

    def on_stop(self, engine: Engine) -> None:
        """When `run` has come to its end."""


class Quiet:
    """A callback that does nothing: the base of those that need only some of the calls, of whatever engine."""

    def on_batch(self, engine: Any, number: int, batches: int) -> None:
        """Nothing."""

    def on_iteration(self, engine: Any) -> None:
        """Nothing."""

    def on_stop(self, engine: Any) -> None:
        """Nothing."""
