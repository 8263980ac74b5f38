"""Pictures of a run while it is under way."""

from __future__ import annotations

import logging
import time
from pathlib import Path

from ptycupy.api.report import pattern_pair
from ptycupy.outputs.canvas import figure_png, new_figure
from ptycupy.outputs.preview import write_preview
from ptycupy.outputs.write import write_figures
from ptycupy.reconstruction.callbacks import Quiet
from ptycupy.reconstruction.engine import Engine
from ptycupy.reconstruction.resume import take_snapshot
from ptycupy.reconstruction.turns import Turns
from ptycupy.storage.snapshot import Snapshot

logger = logging.getLogger(__name__)
PREVIEW = "preview.png"


class Figures(Quiet):
    """Figures every so many iterations, in folders of their own."""

    def __init__(self, folder: Path, every: int, *, writes: bool) -> None:
        self.folder = folder
        self.every = every
        self.writes = writes  # of several ranks, one

    def on_iteration(self, engine: Engine) -> None:
        if engine.iteration % self.every == 0:
            snapshot, pair = engine.snapshot(), pattern_pair(engine)
            if not self.writes:
                return
            folder = self.folder / f"figures_{engine.iteration:04d}"
            try:
                folder.mkdir(exist_ok=True)
                write_figures(folder, snapshot, pair, engine.initial_positions)
            except OSError as error:
                logger.warning("figures not written, the run goes on: %s", error)


class Preview(Quiet):
    """preview.png, replaced every so many seconds, at the ends of iterations and, without other ranks, within them.

    Drawing takes at most a fiftieth of the time. All ranks have one, and one of them writes. The last picture is that
    of what the run has saved at its end.
    """

    def __init__(self, folder: Path, seconds: float, *, writes: bool) -> None:
        self.path = folder / PREVIEW
        self.writes = writes
        self._cold = True
        self.turns = Turns(seconds)
        self.turns.took(0.0)  # short runs need none
        self._shown: tuple[int, int] | None = None  # the moment that this run drew last

    def on_batch(self, engine: Engine, number: int, batches: int) -> None:
        if engine.ranks.size == 1:
            self.on_iteration(engine)

    def on_iteration(self, engine: Engine) -> None:
        if not engine.ranks.any(self.writes and self.turns.due):
            return
        if self._cold and self.writes:
            figure_png(new_figure(1, 1))  # imports what pictures need, which must not count as their time
            self._cold = False
        start = time.monotonic()
        snapshot = take_snapshot(engine, to_resume=False)
        if not self.writes:
            return
        self._draw(snapshot)
        self.turns.took(time.monotonic() - start)

    def end(self, snapshot: Snapshot) -> None:
        """Replaces a picture from the way, also that of a run that is resumed, by one of the end."""
        if self._shown != _moment(snapshot) and self.path.exists():
            self._draw(snapshot)

    def _draw(self, snapshot: Snapshot) -> None:
        try:
            write_preview(self.path, snapshot)
        except OSError as error:
            logger.warning("preview not written, the run goes on: %s", error)
        else:
            self._shown = _moment(snapshot)


def _moment(snapshot: Snapshot) -> tuple[int, int]:
    """Finished iterations, and batches that the one under way has still to do."""
    return snapshot.iteration, len(snapshot.pending)
