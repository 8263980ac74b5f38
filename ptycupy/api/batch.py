"""reconstruct_batch: many reconstructions with the same kernels and plans, in one folder."""

from __future__ import annotations

import contextlib
import logging
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ptycupy import __version__
from ptycupy import config as configuration
from ptycupy.api.result import Result
from ptycupy.api.session import Session, enter, keep_log, made_folder, open_page, shared_folder, without_paths
from ptycupy.api.together import run_together
from ptycupy.config.batch import Batch, Entry
from ptycupy.config.notes import Note
from ptycupy.config.schema import Config
from ptycupy.distributed.comm import join
from ptycupy.distributed.handshake import shake
from ptycupy.distributed.team import RankFailure, Team, alone
from ptycupy.errors import ConfigError, PtycupyError
from ptycupy.outputs.overview import Tile, write_overview
from ptycupy.outputs.summary import (
    FAILED,
    FINISHED,
    INTERRUPTED,
    WAITING,
    Outcome,
    read_summary,
    table,
    write_summary,
)
from ptycupy.reconstruction.callbacks import Callback
from ptycupy.reconstruction.interrupt import Interrupted
from ptycupy.reconstruction.logs import console, of_rank
from ptycupy.reconstruction.run_folder import RESULT, SUMMARY, RunFolder, claim
from ptycupy.reconstruction.stages import finished, start_from
from ptycupy.storage.result import load_result
from ptycupy.storage.snapshot import Snapshot

logger = logging.getLogger(__name__)
OVERVIEW = "overview.png"
INTERNAL = 1  # exit code of a defect of ours
SIGNALLED = (130, 143)


@dataclass(frozen=True)
class BatchResult:
    """What became of every reconstruction of a list."""

    outcomes: tuple[Outcome, ...]
    folder: Path  # summary.csv, overview.png, run.log and one run folder for each
    exit_code: int  # 0, or that of the first that failed, or 130 or 143 where a signal ended the batch
    rank: int = 0  # of several that shared the work; rank 0 alone has written files

    def __str__(self) -> str:
        return table(self.outcomes)


def reconstruct_batch(
    path: str | Path,
    *,
    overrides: Sequence[str] = (),
    backend: str | None = None,
    resume: bool = False,
    overwrite: bool = False,
    callbacks: Sequence[Callback] = (),
    quiet: bool = True,
    ptyrad: bool = False,
    allow_unsupported: bool = False,
    distributed: bool = False,
    live: bool = False,
    live_port: int = 0,
) -> BatchResult:
    """Runs the reconstructions of a list (see `ptycupy/guide/batch.md`) in one batch folder: one after the other, or
    together where they share something.

    Arguments as of `reconstruct`; overrides are for all of them. What fails is reported, and the others go on. `resume`
    leaves the finished ones alone, goes on with the one that was interrupted, and tries those that failed again.
    `distributed` makes each of them one reconstruction of all processes that mpiexec or srun started. The page of
    `live` follows the one that is under way, and is not there where they share something.
    Raises ConfigError for a wrong list or configuration, and the errors of a batch folder that cannot be had.
    """
    given = [*overrides, *([] if backend is None else [f"backend.device={backend}"])]
    team = Team(join()) if distributed else alone()
    with contextlib.ExitStack() as stack:
        if not quiet:
            stack.enter_context(console(logging.INFO))
        stack.enter_context(of_rank(team.rank))
        with team.guarded():
            batch = configuration.load_batch(path, given, ptyrad=ptyrad, allow_unsupported=allow_unsupported)
            if batch.share and live:
                raise ConfigError(
                    "--live: scans that share something are reconstructed at once, and the page shows one run; leave "
                    "it out: the preview.png of each run shows how it goes"
                )
            configs = [entry.loaded.config for entry in batch.entries]
            if batch.share and team.size > 1 and any(config.distributed.object == "tiled" for config in configs):
                raise ConfigError(
                    "distributed.object: tiled is for single scans; those that share something need shared, or one "
                    "process: `ptycupy batch` without mpiexec"
                )
            text = "\n".join(f"# {e.name}\n{without_paths(c)}" for e, c in zip(batch.entries, configs, strict=True))
            shake(team, {"version of ptycupy": __version__, "list of configurations": text})
        output = configs[0].output
        overwrite = overwrite or output.overwrite
        label = f"batch_{Path(path).stem}"
        claimed = partial(claim, output.folder, output.name, label, overwrite=overwrite, resume=resume)
        folder, signals = enter(stack, team, configs[0].distributed.watchdog_seconds, claimed)
        folder.begun = True
        keep_log(stack, team, folder)
        board = open_page(stack, team, signals, live, live_port)
        logger.info("batch folder %s: %d reconstructions", folder.path, len(batch.entries))
        bar = not quiet and sys.stderr.isatty() and team.rank == 0
        session = Session(signals, callbacks, bar=bar, team=team, live=live, board=board)
        return _Batch(batch, folder, session, resume).run()


class _Batch:
    """A batch on its way through its entries."""

    def __init__(self, batch: Batch, folder: RunFolder, session: Session, resume: bool) -> None:
        self.batch, self.folder, self.session, self.resume = batch, folder, session, resume
        self.team = session.team
        self.writes = self.team.rank == 0
        self.summary = folder.path / SUMMARY
        earlier = self.team.from_first(read_summary(self.summary) if resume and self.writes else {})
        self.outcomes = [earlier.get(entry.name, Outcome(entry.name)) for entry in batch.entries]
        self.tiles = {entry.name: Tile(entry.name) for entry in batch.entries}
        self.before: tuple[Config, Path] | None = None  # the newest finished one

    def run(self) -> BatchResult:
        self._summarise()
        stopped = self._together() if self.batch.share else self._one_by_one()
        self._summarise()
        if self.writes:
            self._draw()
        failed = [outcome for outcome in self.outcomes if outcome.status == FAILED]
        if failed:
            logger.warning("%d of %d reconstructions failed; see %s", len(failed), len(self.outcomes), self.summary)
        code = stopped or (failed[0].exit_code if failed else 0)
        if self.session.board is not None:
            self.session.board.post(**_ending(stopped, len(failed), len(self.outcomes)), folder=str(self.folder.path))
        return BatchResult(tuple(self.outcomes), self.folder.path, code, self.team.rank)

    def _summarise(self) -> None:
        if self.writes:
            write_summary(self.summary, self.outcomes)

    def _one_by_one(self) -> int:
        """The exit code of the signal that ended the batch, or 0."""
        for number, (entry, outcome) in enumerate(zip(self.batch.entries, self.outcomes, strict=True), 1):
            told = f"reconstruction {number} of {len(self.outcomes)}"
            logger.info("%s: %s", told, entry.name)
            if self.session.board is not None:
                self.session.board.post(state="preparing", of_batch=told)
                self.session.board.note(f"{told}: {entry.name}")
            config, place = self._config(entry), self.folder.path / entry.name
            done = self.writes and self.resume and finished(place, config)
            if self.team.from_first(done):
                logger.info("%s: finished before", entry.name)
                self._finished(outcome, load_result(place / RESULT))
            else:
                stopped = self._one(config, entry.loaded.notes, place, outcome)
                if stopped:
                    return stopped
            if outcome.status == FINISHED:
                self.before = configuration.stage_configs(config)[-1], place / RESULT
            self._summarise()
        return 0

    def _together(self) -> int:
        """All entries at once, as they share something; what fails in one fails in all."""
        configs = [self._config(entry) for entry in self.batch.entries]
        places = [self.folder.path / entry.name for entry in self.batch.entries]
        done = self.writes and self.resume
        done = done and all(finished(place, config) for place, config in zip(places, configs, strict=True))
        if self.team.from_first(done):
            logger.info("finished before")
            for outcome, place in zip(self.outcomes, places, strict=True):
                self._finished(outcome, load_result(place / RESULT))
            return 0
        for entry in self.batch.entries:
            _tell(entry.loaded.notes)
        try:
            with self.team.guarded():
                results = run_together(self.batch, configs, self.folder, self.session, self.resume)
        except (Interrupted, PtycupyError) as error:
            stopped = _interrupted(error)
            for outcome in self.outcomes:
                if stopped:
                    outcome.status, outcome.exit_code = INTERRUPTED, stopped
                else:
                    self._failed(outcome, str(error), error.exit_code)
            return stopped
        for outcome, result in zip(self.outcomes, results, strict=True):
            self._took(outcome, result)
        return results[0].exit_code

    def _config(self, entry: Entry) -> Config:
        config = entry.loaded.config
        output = config.output.model_copy(update={"folder": str(self.folder.path), "name": entry.name})
        config = config.model_copy(update={"output": output})
        if self.before is not None and self.batch.start_from_previous:
            config = start_from(config, *self.before, self.batch.start_from_previous)
        return config

    def _one(self, config: Config, notes: Sequence[Note], place: Path, outcome: Outcome) -> int:
        """One reconstruction; the exit code of the signal that ended it, or 0."""
        signals = self.session.signals
        outcome.status, outcome.reason = WAITING, ""
        signals.engine = None  # frees the engine before; a signal before the next one is ready stops at once
        try:
            with contextlib.ExitStack() as stack:
                stack.enter_context(self.team.guarded())
                run = stack.enter_context(shared_folder(self.team, partial(made_folder, place)))
                keep_log(stack, self.team, run)
                _tell(notes)
                result = self.session.run(config, run, self.resume and run.holds_run, self.folder)
        except (Interrupted, PtycupyError) as error:
            stopped = _interrupted(error)
            if stopped:
                outcome.status, outcome.exit_code = INTERRUPTED, stopped
                return stopped
            self._failed(outcome, str(error), error.exit_code)
            return 0
        except Exception as error:  # the other reconstructions need not suffer from a defect; the log has all of it
            self._failed(outcome, f"internal error: {type(error).__name__}: {error}", INTERNAL)
            return 0
        self._took(outcome, result)
        return result.exit_code

    def _took(self, outcome: Outcome, result: Result) -> None:
        """What a reconstruction that ran says of itself."""
        if result.exit_code:
            self._ended(outcome, INTERRUPTED, result.snapshot)
        else:
            self._finished(outcome, result.snapshot)
            outcome.correlation = result.scores.get("correlation", math.nan)
            outcome.ssim = result.scores.get("ssim", math.nan)
            limit = result.information_limit_angstrom
            outcome.information_limit_angstrom = math.nan if limit is None else limit
        outcome.exit_code = result.exit_code

    def _finished(self, outcome: Outcome, snapshot: Snapshot) -> None:
        self._ended(outcome, FINISHED, snapshot)
        outcome.exit_code, outcome.reason = 0, ""

    def _ended(self, outcome: Outcome, status: str, snapshot: Snapshot) -> None:
        history = snapshot.history
        outcome.status, outcome.iterations = status, snapshot.iteration
        outcome.loss = history.total[-1] if history.total else math.nan
        outcome.seconds = sum(history.seconds)
        remark = "" if status == FINISHED else status
        if self.writes:
            self.tiles[outcome.name] = Tile.of(outcome.name, snapshot, remark)

    def _failed(self, outcome: Outcome, reason: str, code: int) -> None:
        logger.warning("%s failed: %s", outcome.name, reason)
        outcome.status, outcome.reason, outcome.exit_code = FAILED, reason, code
        if self.session.board is not None:
            self.session.board.end()
            self.session.board.note(f"{outcome.name} failed: {reason}")

    def _draw(self) -> None:
        tiles = []
        for outcome in self.outcomes:
            tile = self.tiles[outcome.name]
            tiles.append(Tile(tile.name, remark=outcome.status) if tile.image is None else tile)
        try:
            write_overview(self.folder.path / OVERVIEW, tiles)
        except OSError as error:
            logger.warning("overview not written: %s", error)


def _interrupted(error: Interrupted | PtycupyError) -> int:
    """The exit code of the signal that it tells of, on this rank or another one; 0 where it is a failure."""
    signalled = isinstance(error, RankFailure) and error.exit_code in SIGNALLED
    return error.exit_code if isinstance(error, Interrupted) or signalled else 0


def _ending(stopped: int, failed: int, count: int) -> dict[str, str]:
    """What the live page says at the end."""
    if stopped:
        return {"state": "stopped"}
    if failed:
        return {"state": "failed", "message": f"{failed} of {count} reconstructions failed; see {SUMMARY}"}
    return {"state": "finished"}


def _tell(notes: Sequence[Note]) -> None:
    for note in notes:
        logger.log(logging.WARNING if note.unsupported else logging.INFO, "PtyRAD's %s", note)
