"""The base of callbacks that need only some of the engine's calls; the protocol is `engine.Callback`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ptycupy.reconstruction.engine import Engine


class Quiet:
    """A callback that does nothing."""

    def on_batch(self, engine: Engine, number: int, batches: int) -> None:
        """After batch `number` of `batches`, counted from 1."""

    def on_iteration(self, engine: Engine) -> None:
        """After the constraints and the history of a finished iteration."""

    def on_stop(self, engine: Engine) -> None:
        """When `run` has come to its end."""
