"""`ptycupy resolution`: a run's data divided into two, both reconstructed as the run was, and correlated."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ptycupy import __version__, data
from ptycupy import config as configuration
from ptycupy.analysis.halves import By, Halves, correlate, write_halves
from ptycupy.api.resolution_section import CURVE, HALVES, compared, finest_spot, resolution
from ptycupy.api.run import with_simulation
from ptycupy.api.session import Session, enter, keep_log, made_folder, shared_folder, without_paths
from ptycupy.config.preparation import Thinning
from ptycupy.config.schema import Config
from ptycupy.distributed.comm import join
from ptycupy.distributed.handshake import shake
from ptycupy.distributed.team import Team, alone
from ptycupy.errors import ConfigError, ResourceError
from ptycupy.outputs.canvas import new_figure, save_png
from ptycupy.outputs.report import replace_section
from ptycupy.plot import ring_correlation
from ptycupy.reconstruction.logs import console, of_rank
from ptycupy.reconstruction.run_folder import RESULT, RunFolder, claim
from ptycupy.reconstruction.stages import finished
from ptycupy.storage.result import load_result
from ptycupy.storage.snapshot import Snapshot

logger = logging.getLogger(__name__)
REPORT = "report.html"


@dataclass(frozen=True)
class Compared:
    """Two reconstructions from halves of the data; print it."""

    folder: Path  # half_1, half_2, frc.json, frc.png
    halves: Halves | None  # None where a signal ended it, and on other ranks than 0
    exit_code: int = 0  # 130 or 143 where a signal ended it
    rank: int = 0  # of several that shared the work; rank 0 alone has written files

    def __str__(self) -> str:
        return "" if self.halves is None else "\n".join(f"{name}: {text}" for name, text in compared(self.halves))


def measure_resolution(
    run: str | Path,
    *,
    by: By | None = None,
    overrides: Sequence[str] = (),
    backend: str | None = None,
    resume: bool = False,
    quiet: bool = True,
    distributed: bool = False,
) -> Compared:
    """Fourier ring correlation of two reconstructions, each from half of the data of a finished run or a configuration.

    `run` is a run folder, which gets frc.json, frc.png and the curve in its report.html, or a configuration, for which
    a fresh folder is made. `by` divides the counts (by binomial thinning: both halves have all positions) or the
    positions; by default counts where the patterns are whole numbers. `overrides` and `backend` as of `reconstruct`;
    `resume` goes on with halves that were begun; `distributed` shares each of them among all processes that mpiexec or
    srun started. Raises ConfigError for a run whose halves would not be independent,
    and the errors of `reconstruct`.
    """
    given = [*overrides, *([] if backend is None else [f"backend.device={backend}"])]
    path = Path(run)
    team = Team(join()) if distributed else alone()
    with contextlib.ExitStack() as stack:
        if not quiet:
            stack.enter_context(console(logging.INFO))
        stack.enter_context(of_rank(team.rank))
        with team.guarded():
            config = _of_run(path, given) if path.is_dir() else configuration.read_config(path, given).config
            _require_independent(config)
            shake(team, {"version of ptycupy": __version__, "configuration": without_paths(config)})
        if path.is_dir():
            claimed = partial(RunFolder, path.absolute())
        else:
            output = config.output
            claimed = partial(claim, output.folder, output.name, f"{path.stem}_halves", resume=resume)
        folder, signals = enter(stack, team, config.distributed.watchdog_seconds, claimed)
        folder.begun = True
        config = with_simulation(config, folder.path, True, team)
        if by is None:
            by = "counts" if data.open_source(config.data).dtype.kind in "iu" else "positions"
        logger.info("two reconstructions, each from half of the %s", by)
        session = Session(signals, bar=not quiet and sys.stderr.isatty() and team.rank == 0, team=team)
        found = []
        for number in (1, 2):
            ended = _half(_divided(config, by, number), folder, number, session, resume)
            if isinstance(ended, int):
                return Compared(folder.path, None, ended, team.rank)
            found.append(ended)
        if team.rank:
            return Compared(folder.path, None, rank=team.rank)
        halves = correlate(found[0], found[1], by)
        _tell(folder.path, halves)
        return Compared(folder.path, halves)


def _of_run(folder: Path, overrides: Sequence[str]) -> Config:
    """The configuration that a run folder was made with."""
    text = load_result(folder / RESULT).config
    if not text:
        raise ConfigError(f"{folder / RESULT}: holds no configuration, as it was not made by `ptycupy recon`")
    return configuration.from_text(text, str(folder / RESULT), overrides)


def _require_independent(config: Config) -> None:
    if config.object.path is not None:
        raise ConfigError(
            f"object.path: {config.object.path}: both halves would start from this object and agree for that reason "
            "alone; of a run in stages, name its configuration in place of its folder"
        )
    if config.reconstruction.half != "all" or config.data.thinning is not None:
        raise ConfigError("reconstruction.half and data.thinning: this is a part of the data already")


def _divided(config: Config, by: By, number: int) -> Config:
    """The configuration of one half."""
    loop: dict[str, Any] = {"seed": config.reconstruction.seed + number - 1}  # nothing random is the same in both
    patterns: dict[str, Any] = {"follow": None}
    if by == "counts":
        patterns["thinning"] = Thinning(share=0.5, rest=number == 2)
    else:
        loop["half"] = "even" if number == 1 else "odd"
    return config.model_copy(
        update={
            "data": config.data.model_copy(update=patterns),
            "reconstruction": config.reconstruction.model_copy(update=loop),
        }
    )


def _half(config: Config, within: RunFolder, number: int, session: Session, resume: bool) -> Snapshot | int:
    """One half's reconstruction, or the exit code of the signal that ended it."""
    place = within.path / f"half_{number}"
    output = config.output.model_copy(update={"folder": str(within.path), "name": place.name})
    config = config.model_copy(update={"output": output})
    team = session.team
    if team.from_first(resume and team.rank == 0 and finished(place, config)):
        return load_result(place / RESULT)
    logger.info("half %d of 2", number)
    session.signals.engine = None  # frees the half before
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(shared_folder(team, partial(made_folder, place)))
        keep_log(stack, team, folder)
        result = session.run(config, folder, resume and folder.holds_run, within)
    return result.exit_code or result.snapshot


def _tell(folder: Path, halves: Halves) -> None:
    """The curve in the folder, and in the report where there is one."""
    figure = new_figure(6.4, 4.2)
    ring_correlation({"two halves": halves.curve}, figure.subplots())
    try:
        write_halves(folder / HALVES, halves)
        save_png(figure, folder / CURVE)
        if (folder / REPORT).exists():
            snapshot = load_result(folder / RESULT)
            replace_section(folder / REPORT, resolution(snapshot, folder, *finest_spot(snapshot)))
    except OSError as error:
        raise ResourceError(f"{folder}: the correlation could not be written: {error.strerror or error}") from error
