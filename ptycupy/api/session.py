"""What reconstructions of one process have in common: their backends, with kernels and plans, signals and progress."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path

from ptycupy import backends
from ptycupy.api.result import Result
from ptycupy.api.run import finish, iterate, keepers, prepare, with_simulation
from ptycupy.backends.interface import Backend
from ptycupy.config import dump
from ptycupy.config.schema import Config
from ptycupy.distributed.team import Team, alone
from ptycupy.distributed.watchdog import Watchdog
from ptycupy.live.board import Board
from ptycupy.live.server import Page
from ptycupy.live.watcher import Watcher
from ptycupy.reconstruction.callbacks import Callback
from ptycupy.reconstruction.interrupt import StopOnSignal
from ptycupy.reconstruction.logs import failures_in_log, log_file
from ptycupy.reconstruction.run_folder import Followed, RunFolder
from ptycupy.reconstruction.stages import run_stages


def shared_folder(team: Team, claimed: Callable[[], RunFolder]) -> RunFolder:
    """The run folder that rank 0 claims."""
    folder = claimed() if team.rank == 0 else None
    path: Path = team.from_first(None if folder is None else folder.path)
    return Followed(path) if folder is None else folder


def made_folder(place: Path) -> RunFolder:
    """One of a batch's entry, made where it is not there yet."""
    place.mkdir(exist_ok=True)
    return RunFolder(place, made=[place])


def enter(
    stack: contextlib.ExitStack, team: Team, silence: float | None, claimed: Callable[[], RunFolder]
) -> tuple[RunFolder, StopOnSignal]:
    """The folder that all ranks work in, and the signals that stop them, for as long as the stack is open.

    From here on a rank that fails, dies, or says nothing for so many seconds ends the others.
    """
    watchdog = stack.enter_context(Watchdog(team.comm, silence))
    stack.enter_context(team.guarded())
    signals = stack.enter_context(StopOnSignal())
    folder = stack.enter_context(shared_folder(team, claimed))
    watchdog.left = f"What is saved in {folder.path} stays; --resume goes on from it"
    return folder, signals


def keep_log(stack: contextlib.ExitStack, team: Team, folder: RunFolder) -> None:
    """Writes the folder's run.log, on rank 0, and all failures into it, for as long as the stack is open."""
    if team.rank == 0:
        stack.enter_context(log_file(folder.log))
    stack.enter_context(failures_in_log())


def open_page(stack: contextlib.ExitStack, team: Team, signals: StopOnSignal, live: bool, port: int) -> Board | None:
    """The board of a live page that stays open with the stack, on rank 0 and where it is wanted.

    Raises ConfigError where the port cannot be had.
    """
    if not live or team.rank:
        return None
    page = stack.enter_context(Page(port))
    page.stops_by(signals.request)
    page.announce()
    return page.board


def without_paths(config: Config) -> str:
    """What all ranks must have in common of a configuration: paths may be a host's own."""
    return "\n".join(line for line in dump(config).splitlines() if "path:" not in line)


class Session:
    """Runs configurations one after the other; a backend is made once for each device, precision and kind of FFT."""

    def __init__(
        self,
        signals: StopOnSignal,
        callbacks: Sequence[Callback] = (),
        *,
        bar: bool = False,
        team: Team | None = None,
        live: bool = False,
        board: Board | None = None,
    ) -> None:
        self.signals = signals
        self.team = alone() if team is None else team
        self.callbacks = callbacks
        self.bar = bar
        self.live = live
        self.board = board  # of the live page, on the rank that serves it
        self._backends: dict[tuple[str, str, str, bool, str, str], Backend] = {}

    def backend(self, config: Config) -> Backend:
        """The backend that the configuration asks for."""
        asked = config.backend
        device = asked.device if self.team.size == 1 else backends.spread(asked.device, self.team.comm.local_rank)
        kind = (device, config.model.dtype, asked.fft, asked.deterministic, asked.tape, asked.graphs)
        found = self._backends.get(kind)
        if found is None:
            found = self._backends[kind] = backends.select(*kind)
        return found

    def run(self, config: Config, folder: RunFolder, resume: bool, within: RunFolder | None = None) -> Result:
        """One reconstruction, in as many stages as it has, in its locked folder; `within` is that of its batch.

        Raises the errors of `ptycupy.errors`; a signal lets the batch of patterns finish and save.
        """

        def run(part: Config, place: RunFolder, again: bool) -> Result:
            engine = prepare(part, place, self.team.from_first(again), self.backend(part), self.team)
            self.signals.engine = engine
            engine.stop_requested = self.signals.exit_code is not None  # it came while the stage before was finished
            folder.begun = True
            callbacks = [*self.callbacks]
            if self.live:
                callbacks.append(Watcher(engine, part, self.team, self.board, str(place.path)))
            kept = keepers(part, place, writes=self.team.rank == 0)
            iterate(engine, part, place, callbacks, kept, bar=self.bar)
            return finish(engine, part, place, self.signals, within or folder, kept, self.team)

        if not config.stages:
            return run(config, folder, resume)
        return run_stages(with_simulation(config, folder.path, resume, self.team), folder, resume, run)
