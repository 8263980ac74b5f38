"""One reconstruction in its folder: prepared or resumed, iterated, and finished with all that it leaves behind."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ptycupy import config as configuration
from ptycupy import data, experiment
from ptycupy.analysis import score_result
from ptycupy.analysis.diagnosis import Finding
from ptycupy.api.pictures import Figures, Preview
from ptycupy.api.report import Seen, look, report
from ptycupy.api.resolution_section import finest_spot
from ptycupy.api.result import Result
from ptycupy.api.sharing import require_same, share_out
from ptycupy.backends.interface import Backend
from ptycupy.config.schema import Config, Truth
from ptycupy.data.source import PatternSource
from ptycupy.distributed.reduce import choose
from ptycupy.distributed.team import Team, alone
from ptycupy.errors import ConfigError, DataError, DivergenceError, ResourceError
from ptycupy.experiment.following import build_following
from ptycupy.experiment.selection import taking_part
from ptycupy.experiment.state import Problem, State
from ptycupy.model.ranks import ALONE
from ptycupy.outputs import write_outputs
from ptycupy.reconstruction.adopt import adopt_memory
from ptycupy.reconstruction.callbacks import Callback
from ptycupy.reconstruction.checkpoint import Checkpoints, list_checkpoints, load_newest
from ptycupy.reconstruction.configured import residency_from, settings_from
from ptycupy.reconstruction.engine import Engine
from ptycupy.reconstruction.following import Follower, wait_for_patterns
from ptycupy.reconstruction.interrupt import StopOnSignal
from ptycupy.reconstruction.progress import IterationLog, ProgressBar
from ptycupy.reconstruction.run_folder import RunFolder
from ptycupy.reconstruction.steering import restore_changes
from ptycupy.storage.patterns import Export, write_patterns
from ptycupy.storage.result import save_result, verify
from ptycupy.storage.scan import write_dataset
from ptycupy.storage.snapshot import Snapshot

logger = logging.getLogger(__name__)
SIMULATED = "simulated.h5"
FOREVER = 2**31  # iterations, until the follower ends them


def prepare(config: Config, folder: RunFolder, resume: bool, backend: Backend, team: Team | None = None) -> Engine:
    """The engine at its start, or as the folder's newest good checkpoint has it; a start clears the folder.

    A team prepares it together; each of its ranks gets an engine with its own patterns.
    """
    seen = with_simulation(config, folder.path, resume, team)
    if seen.data.follow is not None:
        if team is not None and team.size > 1:
            raise ConfigError(f"data.follow: a file that grows is followed by one process, not by {team.size}")
        problem, state = build_following(seen, *wait_for_patterns(seen.data))
    else:
        source, among = open_patterns(seen), alone() if team is None else team
        if among.size > 1:
            require_same(among, source, backend)
        problem, state = experiment.build(seen, source, among)
    return begin(config, folder, resume, backend, problem, state, team=team)


def open_patterns(config: Config) -> PatternSource:
    """The patterns that a configuration with its simulation names, still to be read."""
    source = data.open_source(config.data)
    if config.truth is not None:
        data.read_attributes(config.truth.path, config.truth.key)  # refused now, not after the last iteration
    return source


def begin(
    config: Config,
    folder: RunFolder,
    resume: bool,
    backend: Backend,
    problem: Problem,
    state: State,
    iteration: int | None = None,
    team: Team | None = None,
) -> Engine:
    """The engine of an experiment that is built, as `prepare` makes it; `iteration` is the only one to resume from."""
    team = alone() if team is None else team
    first = team.rank == 0
    if config.output.export_patterns is not None and not resume and first:
        export = Export(problem.patterns, problem.pattern_scale)
        logger.info("wrote %s", write_patterns(folder.path / config.output.export_patterns, export, overwrite=True))
    settings = settings_from(config)
    tiles = None
    if team.size > 1:
        tiles = share_out(team, problem, state, settings, backend.name, config.distributed)
        team.reducer = choose(team, backend, config.distributed.reduce, config.backend.deterministic)
    ranks, residency = team if team.size > 1 else ALONE, residency_from(config)
    engine = Engine(problem, state, settings, backend, ranks=ranks, residency=residency, tiles=tiles)
    follower = _follower(engine, config)
    if follower is not None:
        follower.grow()
    if resume:
        text = configuration.dump(config)

        def check(snapshot: Snapshot) -> None:
            if iteration not in (None, snapshot.iteration):
                raise DataError(f"is of iteration {snapshot.iteration}; the scans go on together from {iteration}")
            if follower is not None:
                follower.fits(snapshot)
            known = engine.fingerprint if follower is None else snapshot.data_fingerprint
            for line in verify(snapshot, known, text):
                logger.warning("resuming with a change: %s", line)
            if follower is None and not np.array_equal(snapshot.used, engine.used):
                raise DataError(
                    f"{len(snapshot.used)} positions were reconstructed, now {len(engine.used)} others are asked for:"
                    " reconstruction.half, reconstruction.subscan or the patterns' weights differ"
                )

        engine.restore(team.from_first(load_newest(folder.path, check) if first else None))
        logger.info("resumed after iteration %d", engine.iteration)
        restore_changes(engine, config)
    else:
        if config.optimizer.memory_path is not None:
            adopt_memory(engine, config.optimizer.memory_path)
        folder.clear()
    return engine


def with_simulation(config: Config, folder: Path, resume: bool, team: Team | None = None) -> Config:
    """The configuration, with the data set that its `simulation` section makes where it names no data; of a team,
    rank 0 makes it."""
    if config.simulation is None or config.data.path is not None:
        return config
    path = folder / SIMULATED
    team = alone() if team is None else team
    if team.rank == 0 and not (resume and path.exists()):
        from ptycupy.simulate import simulate

        logger.info("simulating %s", path)
        write_dataset(path, simulate(config))
    team.exchange(None)  # it is there now
    named: dict[str, Any] = {
        "data": config.data.model_copy(update={"path": str(path), "key": "dp"}),
        "truth": config.truth or Truth(path=str(path), key="truth_phase"),
    }
    return config.model_copy(update=named)


def _follower(engine: Engine, config: Config) -> Follower | None:
    """What brings new patterns to the engine, where the configuration follows a file."""
    follow, loop = config.data.follow, config.reconstruction
    if follow is None:
        return None
    return Follower(engine, taking_part(engine.problem, loop), loop.iterations, follow.timeout_seconds)


def iterate(
    engine: Engine,
    config: Config,
    folder: RunFolder,
    callbacks: Sequence[Callback],
    kept: Sequence[Callback],
    *,
    bar: bool,
) -> None:
    """The iterations that are still to be done, with log and what the run keeps as it goes."""
    loop = config.reconstruction
    follower = _follower(engine, config)
    bar = bar and follower is None  # nobody knows how long it takes
    log = IterationLog(loop.iterations, bar=bar)
    watchers: list[Callback] = [*callbacks, log, *kept]
    if follower is not None:
        follower.log = log
        follower.grow()
        watchers.append(follower)
    with contextlib.ExitStack() as stack:
        if bar:
            watchers.append(stack.enter_context(ProgressBar(loop.iterations, engine.iteration)))
        left = loop.iterations - engine.iteration
        if follower is not None:
            left = 0 if follower.satisfied else FOREVER
        if left <= 0:
            logger.info(
                "nothing to do: %d iterations are done; a larger reconstruction.iterations goes on", engine.iteration
            )
        try:
            engine.run(max(left, 0), watchers)
        except DivergenceError as error:
            saved = list_checkpoints(folder.path)
            raise DivergenceError(f"{error}. Last good checkpoint: {saved[-1] if saved else 'none yet'}") from error


def keepers(config: Config, folder: RunFolder, *, writes: bool = True) -> list[Callback]:
    """What saves checkpoints and figures of a run as it goes; of several ranks, one `writes`."""
    text = configuration.dump(config)
    found: list[Callback] = [Checkpoints(folder.path, config.reconstruction.checkpoint_every, text, writes=writes)]
    every, seconds = config.output.figures_every, config.output.preview_seconds
    if every is not None:
        found.append(Figures(folder.path, every, writes=writes))
    if seconds is not None:
        found.append(Preview(folder.path, seconds, writes=writes))
    return found


def finish(
    engine: Engine,
    config: Config,
    folder: RunFolder,
    signals: StopOnSignal,
    run_folder: RunFolder,
    kept: Sequence[Callback],
    team: Team | None = None,
) -> Result:
    """Writes the result, and where no signal ended the run its pictures, scores and information limit.

    `folder` is a stage's own or that of a batch's entry, in the `run_folder`, or the latter itself; `kept` its
    `keepers`. Of a team, rank 0 does.
    """
    team = alone() if team is None else team
    snapshot = engine.snapshot(configuration.dump(config))
    code = next((code for code in team.exchange(signals.exit_code) if code is not None), None)
    if team.rank == 0:
        save_result(folder.result, snapshot)
        for preview in kept:
            if isinstance(preview, Preview):
                preview.end(snapshot)
    seen = look(engine) if code is None else None
    if team.rank:
        team.exchange(None)  # rank 0 has written
        return Result(snapshot, run_folder.path, {}, code or 0, rank=team.rank)
    result = _finished(engine, seen, snapshot, config, folder, run_folder, code)
    team.exchange(None)
    return result


def _finished(
    engine: Engine,
    seen: Seen | None,
    snapshot: Snapshot,
    config: Config,
    folder: RunFolder,
    run_folder: RunFolder,
    code: int | None,
) -> Result:
    if seen is None:
        logger.warning(
            "stopped after iteration %d; saved %s. The same command with --resume --set output.name=%s goes on",
            engine.iteration, folder.result, run_folder.path.name,
        )  # fmt: skip
        return Result(snapshot, run_folder.path, {}, code or 0)
    limit, no_limit = finest_spot(snapshot)
    write_outputs(folder.path, snapshot, seen.pair, engine.initial_positions, limit)
    comparison = None
    scores: dict[str, float] = {}
    truth = with_simulation(config, folder.path, resume=True).truth
    if truth is not None:
        try:
            comparison = score_result(snapshot, truth)
        except DataError as error:
            logger.warning("not compared with the truth: %s", error)
        else:
            scores = {"correlation": comparison.correlation, "ssim": comparison.ssim}
            logger.info("against the truth: correlation %.4f, SSIM %.4f", comparison.correlation, comparison.ssim)
    if limit is not None:
        text = "information limit, by the finest separate Fourier spot: %.3f angstrom (%.0f pm)"
        logger.info(text, limit, 100 * limit)
    findings: tuple[Finding, ...] = ()
    try:
        findings = tuple(report(engine, seen, snapshot, config, folder.path, scores, limit, no_limit))
    except (OSError, ResourceError) as error:  # a full disk costs the page, not the result that was saved before
        logger.warning("%s: the report could not be written: %s", folder.path, error)
    logger.info("finished after iteration %d: %s", engine.iteration, folder.result)
    return Result(
        snapshot,
        folder.path,
        scores,
        information_limit_angstrom=limit,
        findings=findings,
        comparison=comparison,
    )
