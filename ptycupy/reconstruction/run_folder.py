"""The run folder: found, made and locked before anything is computed."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from ptycupy.errors import ConfigError, DataError, PtycupyError
from ptycupy.reconstruction.lock import FolderLock

logger = logging.getLogger(__name__)
RESULT = "result.h5"
LOG = "run.log"
SUMMARY = "summary.csv"  # of a batch, which holds run folders
OWN = ("run.lock", LOG)  # files that do not make a folder hold results
MAX_LABEL_BYTES = 200  # leaves room for date, time and number in a name of at most 255


class RunFolder:
    """A locked folder for one run; a context manager that frees it.

    `path` is the folder, `result` its result file. See `claim` for how it is chosen. Where a run is refused or
    interrupted before `begun` is set, the folders `made` for it (innermost first) are removed again.
    """

    def __init__(self, path: Path, *, made: Sequence[Path] = ()) -> None:
        self.path = path
        self.made = made
        self.begun = False
        self.result = path / RESULT
        self.log = path / LOG
        self.lock = FolderLock(path)

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.lock.release()
        refused = isinstance(error, (PtycupyError, KeyboardInterrupt)) and not self.begun
        if self.made and refused and {entry.name for entry in self.path.iterdir()} <= {LOG}:
            self.log.unlink(missing_ok=True)  # the message on stderr was all there is to keep
            with contextlib.suppress(OSError):  # somebody else may have put something there
                for folder in self.made:
                    folder.rmdir()

    def clear(self) -> None:
        """Removes result and checkpoints of an earlier run, so that `--resume` never mixes two runs."""
        for path in [self.result, *self.path.glob("checkpoint_*.h5")]:
            path.unlink(missing_ok=True)

    def clear_stages(self) -> None:
        """Removes the folders of an earlier run's stages too."""
        self.clear()
        for path in self.path.glob("stage_*"):
            shutil.rmtree(path)

    def stage(self, number: int) -> RunFolder:
        """The folder of an early stage."""
        path = self.path / f"stage_{number}"
        path.mkdir(exist_ok=True)
        return RunFolder(path)

    @property
    def holds_run(self) -> bool:
        """Whether there is a result or a checkpoint to go on from, in this folder or one of a stage."""
        return _holds_run(self.path)


class Followed(RunFolder):
    """A run folder that another rank has locked and alone writes to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.made = ()
        self.begun = False
        self.result = path / RESULT
        self.log = path / LOG

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return

    def clear(self) -> None:
        """Nothing."""

    def clear_stages(self) -> None:
        """Nothing."""

    def stage(self, number: int) -> RunFolder:
        return Followed(self.path / f"stage_{number}")


def claim(
    folder: str | Path, name: str | None, label: str = "run", *, overwrite: bool = False, resume: bool = False
) -> RunFolder:
    """The run folder below `folder`, made and locked.

    Without a name it is fresh: date, time and label. With a name it must not hold results, unless `overwrite`;
    `resume` takes the named one, or the newest of this label that holds a checkpoint. Raises ConfigError where
    the folder cannot be written or holds results, DataError where there is nothing to resume, ResourceError where
    another process writes.
    """
    parent = Path(folder).expanduser().absolute()
    if name is not None and (name in {"", ".."} or Path(name).name != name):
        raise ConfigError(f"output.name: {name!r} must be one folder name, without a path; output.folder is the path")
    try:
        if resume:
            return RunFolder(_named(parent / name) if name is not None else _newest(parent, _clean(label)))
        if name is None:
            made = _missing(parent)
            path = _fresh(parent, _clean(label))
            return RunFolder(path, made=[path, *made])
        path = parent / name
        made = _missing(path)
        path.mkdir(parents=True, exist_ok=True)
        _check_writable(path)
        run = RunFolder(path, made=made)
    except OSError as error:
        where = error.filename or parent
        raise ConfigError(f"output.folder: cannot write to {where}: {error.strerror or error}") from error
    held = sorted(entry.name for entry in path.iterdir() if entry.name not in OWN)
    if held and not overwrite:
        run.lock.release()
        raise ConfigError(
            f"output.name: {path} already holds {', '.join(held[:3])}{' and more' if len(held) > 3 else ''};"
            " use --overwrite (overwrite=True), --resume, or another output.name"
        )
    return run


def _missing(path: Path) -> list[Path]:
    """The folders that making `path` would make, innermost first."""
    return [folder for folder in (path, *path.parents) if not folder.exists()]


def _fresh(parent: Path, label: str) -> Path:
    parent.mkdir(parents=True, exist_ok=True)
    stem = f"{time.strftime('%Y%m%d-%H%M%S')}_{label}"
    number = 1
    while True:
        path = parent / (stem if number == 1 else f"{stem}-{number}")
        try:
            path.mkdir()
        except FileExistsError:
            number += 1
            continue
        _check_writable(path)
        return path


def _named(path: Path) -> Path:
    if not _holds_run(path):
        raise DataError(f"--resume: {path} holds no {RESULT} and no checkpoint; start without --resume")
    return path


def _newest(parent: Path, label: str) -> Path:
    pattern = re.compile(rf"\d{{8}}-\d{{6}}_{re.escape(label)}(-\d+)?")
    runs = [path for path in (parent.iterdir() if parent.is_dir() else ()) if pattern.fullmatch(path.name)]
    held = [path for path in runs if _holds_run(path)]
    if not held:
        raise DataError(f"--resume: no run of {label!r} with a checkpoint in {parent}; start without --resume")
    newest = max(held, key=lambda path: (path.stat().st_mtime_ns, path.name))
    logger.info("resuming %s", newest)
    return newest


def _holds_run(path: Path) -> bool:
    marks = (RESULT, SUMMARY, "checkpoint_*.h5", "stage_*/*.h5")
    return any(any(path.glob(mark)) for mark in marks)


def _check_writable(path: Path) -> None:
    descriptor, name = tempfile.mkstemp(prefix=".writable", dir=path)
    os.close(descriptor)
    os.unlink(name)


def _clean(label: str) -> str:
    """The label as part of a file name on every system."""
    label = re.sub(r'[\x00-\x1f<>:"/\\|?*]+', "_", label)
    return label.encode("utf-8", "replace")[:MAX_LABEL_BYTES].decode("utf-8", "ignore").strip(" .") or "run"
