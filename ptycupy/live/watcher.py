"""The callback between a run and its page: shows what is new, and does between iterations what was asked for."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from ptycupy.config.schema import Config
from ptycupy.distributed.team import Team
from ptycupy.live.board import Board
from ptycupy.live.controls import Controls
from ptycupy.outputs.object_figures import log_spectrum
from ptycupy.outputs.web_images import heat_png
from ptycupy.reconstruction.callbacks import Quiet
from ptycupy.reconstruction.configured import settings_from
from ptycupy.reconstruction.engine import Engine
from ptycupy.reconstruction.resume import take_snapshot
from ptycupy.reconstruction.steering import fitting, in_force, steer
from ptycupy.reconstruction.turns import Turns

logger = logging.getLogger(__name__)
PICTURE_SECONDS = 2.0
STATUS_SECONDS = 0.25
POLL_SECONDS = 0.5


class Watcher(Quiet):
    """Of one engine; all ranks have one, and that of rank 0 has the page's board."""

    def __init__(self, engine: Engine, config: Config, team: Team, board: Board | None, where: str) -> None:
        self.config = in_force(config, engine.changes)
        self.team = team
        self.board = board
        self._looks, self._reports = Turns(PICTURE_SECONDS), Turns(STATUS_SECONDS)
        if board is not None:
            self._begin(engine, config, board, where)

    def _begin(self, engine: Engine, config: Config, board: Board, where: str) -> None:
        self.controls = Controls(self.config, checker(engine))
        self.controls.take(self.config, engine.iteration)
        board.begin(self.controls)
        board.post(
            state="running",
            folder=where,
            device=engine.backend.name,
            patterns=len(engine.used),
            iterations=config.reconstruction.iterations,
            refinable=[name for name, _ in engine.parameters.items()],
        )
        self._report(engine, 0.0)
        heat_png(*log_spectrum(np.zeros((8, 8))))  # imports what pictures need, which must not count as their time
        if engine.ranks.size == 1:
            self._look(engine)

    def on_batch(self, engine: Engine, number: int, batches: int) -> None:
        if self.board is None:
            return
        if self._reports.due:
            self._report(engine, number / batches)
        if engine.ranks.size == 1:
            self._look(engine)

    def on_iteration(self, engine: Engine) -> None:
        asked: list[tuple[str, str]] = []
        self._look(engine)
        if self.board is not None:
            self._report(engine, 0.0)
            self._wait(engine)
            asked = self.controls.take(self.config, engine.iteration)
        if self.team.size > 1:
            asked = self.team.from_first(asked)
        if asked:
            known = len(engine.changes)
            self.config = steer(engine, self.config, asked)
            if self.board is not None:
                for change in engine.changes[known:]:
                    self.board.note(str(change))
        if self.board is not None and self.controls.finish and not engine.stop_requested:
            logger.info("live page: ending the run after iteration %d", engine.iteration)
            engine.stop_requested = True

    def on_stop(self, engine: Engine) -> None:
        if self.board is None:
            return
        self.board.end()
        self._report(engine, 0.0)
        self.board.post(state="writing results")
        if self.board.watching and engine.ranks.size == 1:
            self.board.show(take_snapshot(engine, to_resume=False))

    # --- pieces -----------------------------------------------------------------------------------------------
    def _wait(self, engine: Engine) -> None:
        """As long as the page says pause."""
        assert self.board is not None
        if not self._paused(engine):
            return
        logger.info("live page: paused after iteration %d", engine.iteration)
        start = time.monotonic()
        self.board.post(state="paused")
        while self._paused(engine):
            if engine.ranks.size == 1:
                self._look(engine)
            self.board.wait(POLL_SECONDS)
        logger.info("live page: going on after %.1f s", time.monotonic() - start)
        self.board.post(state="running")

    def _paused(self, engine: Engine) -> bool:
        assert self.board is not None
        return self.board.paused and not (engine.stop_requested or self.controls.finish)

    def _report(self, engine: Engine, part: float) -> None:
        assert self.board is not None
        recent = engine.history.seconds[-5:]
        seconds = sum(recent) / len(recent) if recent else None
        total = self.config.reconstruction.iterations
        left = None if seconds is None else seconds * max(total - engine.iteration - part, 0)
        losses = engine.history.total[-1:]
        loss = losses[0] if losses and math.isfinite(losses[0]) else None
        self.board.post(iteration=engine.iteration, part=part, seconds=seconds, left=left, loss=loss)
        self._reports.took(0.0)

    def _look(self, engine: Engine) -> None:
        """New pictures, where somebody watches and it is time; of several ranks, all together."""
        if not engine.ranks.any(self._wanted(engine)):
            return
        start = time.monotonic()
        snapshot = take_snapshot(engine, to_resume=False)
        if self.board is None:
            return
        look = self.board.show(snapshot)
        for name in ("phase", "fft"):
            look.picture(name)
        self._looks.took(time.monotonic() - start)

    def _wanted(self, engine: Engine) -> bool:
        if self.board is None or not self.board.watching or not self._looks.due:
            return False
        old = self.board.look
        return old is None or old.snapshot.iteration != engine.iteration or bool(engine.pending)


def checker(engine: Engine) -> Callable[[Config], Any]:
    """Raises ConfigError for a configuration that the engine could not go on with; touches nothing of it."""
    return lambda config: fitting(engine, settings_from(config))
