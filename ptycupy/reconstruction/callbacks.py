"""Callbacks: what may watch a reconstruction without being part of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ptycupy.reconstruction.engine import Engine


class Callback(Protocol):
    """Called by `Engine.run`; setting `engine.stop_requested` lets it return after the current batch."""

    def on_batch(self, engine: Engine, number: int, batches: int) -> None:
        """After batch `number` of `batches`, counted from 1."""
        ...

    def on_iteration(self, engine: Engine) -> None:
        """After the constraints and the history of a finished iteration."""
        ...

    def on_stop(self, engine: Engine) -> None:
        """Before `run` returns or raises."""
        ...


class Quiet:
    """A callback that does nothing: the base of those that need only some of the calls."""

    def on_batch(self, engine: Engine, number: int, batches: int) -> None:
        """Nothing."""

    def on_iteration(self, engine: Engine) -> None:
        """Nothing."""

    def on_stop(self, engine: Engine) -> None:
        """Nothing."""
