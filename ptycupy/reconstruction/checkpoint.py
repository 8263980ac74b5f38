"""Checkpoints: written as the run goes, the last two kept, the newest good one found again."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ptycupy.errors import DataError, ResourceError
from ptycupy.reconstruction.callbacks import Quiet
from ptycupy.reconstruction.run_folder import RESULT
from ptycupy.storage.result import load_result, save_result
from ptycupy.storage.snapshot import Snapshot

if TYPE_CHECKING:
    from ptycupy.reconstruction.engine import Engine

logger = logging.getLogger(__name__)
KEEP = 2


class Checkpoints(Quiet):
    """A callback that saves `checkpoint_NNNN.h5` in a folder every `every` iterations (None: never) and keeps two.

    Of several ranks, all have one and only the one that `writes` does. A checkpoint that cannot be written, for
    instance on a full disk, is a warning: the run goes on and the files already there stay.
    """

    def __init__(self, folder: Path, every: int | None, config: str = "", *, writes: bool = True) -> None:
        self.folder = folder
        self.writes = writes
        self.every = every
        self.config = config

    def on_iteration(self, engine: Engine) -> None:
        if self.every is not None and engine.iteration % self.every == 0:
            snapshot = engine.snapshot(self.config)
            if self.writes:
                self.write(snapshot)

    def write(self, snapshot: Snapshot) -> Path | None:
        """Saves the snapshot and drops all but the last two; None where that failed."""
        path = self.folder / f"checkpoint_{snapshot.iteration:04d}.h5"
        try:
            save_result(path, snapshot)
        except (OSError, ResourceError) as error:
            logger.warning("checkpoint not saved, the run goes on: %s", error)
            return None
        for old in list_checkpoints(self.folder)[:-KEEP]:
            old.unlink(missing_ok=True)
        return path


def list_checkpoints(folder: Path) -> list[Path]:
    """The checkpoints of a run folder, oldest iteration first."""
    numbered = {path: re.fullmatch(r"checkpoint_(\d+)\.h5", path.name) for path in folder.glob("checkpoint_*.h5")}
    return sorted((path for path, match in numbered.items() if match), key=lambda path: int(path.stem.split("_")[1]))


def saved_iterations(folder: Path) -> set[int]:
    """The iterations after which a run folder has a checkpoint or a readable result."""
    found = {int(path.stem.split("_")[1]) for path in list_checkpoints(folder)}
    if (folder / RESULT).exists():
        try:
            found.add(load_result(folder / RESULT).iteration)
        except DataError as error:
            logger.warning("%s", error)
    return found


def load_newest(folder: Path, check: Callable[[Snapshot], None]) -> Snapshot:
    """The snapshot of the highest iteration that loads and against which `check` raises no DataError.

    Everything skipped is a warning that says why. Raises DataError with all reasons where none is left.
    """
    result = folder / RESULT
    paths = list_checkpoints(folder)[::-1]
    refused: list[str] = []

    def attempt(path: Path) -> Snapshot | None:
        try:
            snapshot = load_result(path)
            check(snapshot)
        except DataError as error:
            refused.append(f"{path.name}: {error}")
            logger.warning("cannot resume from %s", refused[-1])
            return None
        return snapshot

    finished = attempt(result) if result.exists() else None
    for path in paths:
        if finished is not None and int(path.stem.split("_")[1]) <= finished.iteration:
            break
        snapshot = attempt(path)
        if snapshot is not None:
            return snapshot
    if finished is not None:
        return finished
    reasons = "\n  ".join(refused) or "it holds neither a checkpoint nor a result"
    raise DataError(f"{folder}: nothing to resume from\n  {reasons}")
