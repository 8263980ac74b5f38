"""Scans that share probe or object: prepared, reconstructed and saved together, each in its own run folder."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from ptycupy.api.result import Result
from ptycupy.api.run import begin, finish, keepers, open_patterns, with_simulation
from ptycupy.api.session import Session, made_folder, shared_folder
from ptycupy.api.sharing import require_same
from ptycupy.config.batch import Batch
from ptycupy.config.schema import Config
from ptycupy.data.share import ONE
from ptycupy.errors import DataError
from ptycupy.experiment.together import ScanPart, build_together
from ptycupy.reconstruction.callbacks import Quiet
from ptycupy.reconstruction.checkpoint import saved_iterations
from ptycupy.reconstruction.engine import Engine
from ptycupy.reconstruction.joint import JointEngine
from ptycupy.reconstruction.progress import IterationLog, ProgressBar
from ptycupy.reconstruction.run_folder import RunFolder

logger = logging.getLogger(__name__)


def run_together(
    batch: Batch, configs: Sequence[Config], folder: RunFolder, session: Session, resume: bool
) -> list[Result]:
    """The results of all scans of a batch, in order; they start, stop and go on together.

    Raises what any of the scans raises: without it, the others are another reconstruction.
    """
    with contextlib.ExitStack() as stack:
        places = []
        team = session.team
        for config in configs:
            made = partial(made_folder, folder.path / str(config.output.name))
            places.append(stack.enter_context(shared_folder(team, made)))
        common = _common_iteration([place.path for place in places]) if resume and team.rank == 0 else None
        again = team.from_first(common)
        joint = _joint(batch, configs, places, session, again)
        session.signals.engine = joint
        joint.stop_requested = session.signals.exit_code is not None
        for place in places:
            place.begun = True
        iterations = configs[0].reconstruction.iterations
        watchers: list[Quiet] = [IterationLog(iterations, bar=session.bar)]
        if session.bar:
            watchers.append(stack.enter_context(ProgressBar(iterations, joint.iteration)))
        writes = team.rank == 0
        kept = [keepers(config, place, writes=writes) for config, place in zip(configs, places, strict=True)]
        of_scans = [[*session.callbacks, *theirs] for theirs in kept]
        joint.run(max(iterations - joint.iteration, 0), watchers, of_scans)
        scans = zip(joint.engines, configs, places, kept, strict=True)
        return [finish(engine, c, place, session.signals, folder, theirs, team) for engine, c, place, theirs in scans]


def _joint(
    batch: Batch, configs: Sequence[Config], places: Sequence[RunFolder], session: Session, again: int | None
) -> JointEngine:
    """The engine at its start, or as all scans were saved after iteration `again`."""
    resume, team, backend = again is not None, session.team, session.backend(configs[0])
    parts = []
    for entry, config, place in zip(batch.entries, configs, places, strict=True):
        seen = with_simulation(config, place.path, resume, team)
        part = ScanPart(seen, open_patterns(seen), entry.offset_px)
        if team.size > 1:
            require_same(team, part.source, backend)
        parts.append(part)
    scenes = build_together(parts, batch.share, batch.share_intensities, team if team.size > 1 else ONE)
    engines = [
        begin(config, place, resume, backend, problem, state, again, team.sibling())
        for config, place, (problem, state) in zip(configs, places, scenes, strict=True)
    ]
    if resume:
        _require_one_moment(engines, batch.share)
    return JointEngine(engines, batch.share)


def _common_iteration(folders: Sequence[Path]) -> int | None:
    """The last iteration after which all scans were saved; None where nothing was saved of any."""
    saved = [saved_iterations(folder) for folder in folders]
    if not any(saved):
        return None
    common = set.intersection(*saved)
    if not common:
        pairs = zip(folders, saved, strict=True)
        told = "; ".join(f"{folder.name}: {sorted(found) or 'none'}" for folder, found in pairs)
        raise DataError(f"--resume: no iteration after which all scans were saved ({told}); start without --resume")
    return max(common)


def _require_one_moment(engines: Sequence[Engine], share: Sequence[str]) -> None:
    """DataError where what is shared is not the same in all files, as after a kill between the saving of two."""
    name = "probe" if "probe" in share else "object_phase"
    first = getattr(engines[0].state, name)
    for number, engine in enumerate(engines[1:], 2):
        if not np.array_equal(getattr(engine.state, name), first):
            raise DataError(
                f"--resume: {name} of scan {number} was not saved at the same moment as that of scan 1; "
                "remove the result.h5 of both to go on from their checkpoints, or start without --resume"
            )
