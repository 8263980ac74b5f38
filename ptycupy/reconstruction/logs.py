"""Where log records go: the run's log file, and a console for those who asked for one."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ptycupy.errors import PtycupyError

logger = logging.getLogger(__name__)
ROOT = "ptycupy"
FILE_FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
SHARED = ("api", "config", "data", "experiment", "storage", "reconstruction.limits")  # by whom all ranks log the same
FILE_ONLY = {"file_only": True}  # `extra` of records that a console would show twice or too often


def _for_console(record: logging.LogRecord) -> bool:
    return not getattr(record, "file_only", False)


class Console(logging.Handler):
    """Plain lines on stderr, whatever stderr is at that moment: a progress bar may have wrapped it."""

    def __init__(self, level: int) -> None:
        super().__init__(level)
        self.prefix = ""
        self.addFilter(_for_console)

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.levelno >= logging.WARNING:
            text = f"{self.prefix}{record.levelname.lower()}: {text}"
        try:
            print(text, file=sys.stderr, flush=True)
        except (OSError, ValueError):  # stderr was closed while we ran: there is nobody left to tell
            self.setLevel(logging.CRITICAL + 1)


class _Forward(logging.Handler):
    """Hands to the outer loggers what they would have got without us."""

    def __init__(self, outer: logging.Logger, level: int) -> None:
        super().__init__(level)
        self.outer = outer
        self.addFilter(_for_console)

    def emit(self, record: logging.LogRecord) -> None:
        self.outer.callHandlers(record)


@contextmanager
def log_file(path: Path) -> Iterator[None]:
    """Appends everything from INFO up that ptycupy logs to a file; other handlers see no more than before."""
    handler = logging.FileHandler(path, encoding="utf-8", delay=True)
    handler.setFormatter(logging.Formatter(FILE_FORMAT))
    with _attached(handler, logging.INFO):
        yield


@contextmanager
def failures_in_log() -> Iterator[None]:
    """What ends a run stands in its log file too; whoever called shows it to the user."""
    try:
        yield
    except PtycupyError as error:
        logger.error("%s", error, extra=FILE_ONLY)
        raise
    except Exception:
        logger.exception("internal error", extra=FILE_ONLY)
        raise


@contextmanager
def console(level: int) -> Iterator[None]:
    """Shows what ptycupy logs from `level` up on stderr; an open console is kept as it is."""
    if any(isinstance(handler, Console) for handler in logging.getLogger(ROOT).handlers):
        yield
        return
    with _attached(Console(level), level):
        yield


@contextmanager
def of_rank(rank: int) -> Iterator[None]:
    """While open, consoles of all ranks but 0 show only warnings, with the rank, and only what rank 0 does not show:
    data and configuration are the same for all."""
    shown = [handler for handler in logging.getLogger(ROOT).handlers if rank and isinstance(handler, Console)]
    before = [(handler.level, handler.prefix) for handler in shown]
    for handler in shown:
        handler.setLevel(max(handler.level, logging.WARNING))
        handler.prefix = f"rank {rank}: "
        handler.addFilter(_own)
    try:
        yield
    finally:
        for handler, (level, prefix) in zip(shown, before, strict=True):
            handler.setLevel(level)
            handler.prefix = prefix
            handler.removeFilter(_own)


def _own(record: logging.LogRecord) -> bool:
    """Whether a record may be of one rank alone."""
    return not record.name.startswith(tuple(f"{ROOT}.{name}" for name in SHARED))


@contextmanager
def _attached(handler: logging.Handler, level: int) -> Iterator[None]:
    logger = logging.getLogger(ROOT)
    before, propagate, outer = logger.level, logger.propagate, logger.parent
    added = [handler]
    if outer is not None and propagate:
        if not isinstance(handler, Console):
            added.append(_Forward(outer, logger.getEffectiveLevel()))
        logger.propagate = False
    logger.setLevel(min(level, logger.getEffectiveLevel()))
    for each in added:
        logger.addHandler(each)
    try:
        yield
    finally:
        for each in added:
            logger.removeHandler(each)
            each.close()
        logger.setLevel(before)
        logger.propagate = propagate
