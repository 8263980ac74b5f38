"""Where trials are kept: a journal that mends itself, or a database by its URL."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

from ptycupy.errors import ConfigError, DataError, ResourceError

logger = logging.getLogger(__name__)
BLOCK = 1 << 16  # bytes that are looked at together from the end of a journal
JOURNAL = "journal.log"
PAUSES = (0.5, 1.0, 0.0)  # s after each attempt to open a database


class MendedJournal(JournalFileBackend):
    """Optuna's journal file, whose last line is looked at before every line that is added.

    A process that is killed while it writes (or a full disk) leaves half a line. Whoever writes next would join its own
    line to it, and nobody could read on. So the torn tail is moved to `<journal>.torn-<time>` first, under the lock
    that all writers take; readers pass over a tail that is not ended.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.file_lock = JournalFileOpenLock(str(self.path))
        super().__init__(str(self.path), lock_obj=self.file_lock)
        self.mend()

    def mend(self) -> Path | None:
        """Moves a torn tail aside; its new place, or None where there is none."""
        self.file_lock.acquire()
        try:
            return _without_torn_tail(self.path)
        finally:
            self.file_lock.release()

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Adds lines in one piece, after a torn tail has been moved aside."""
        text = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs)
        self.file_lock.acquire()
        try:
            _without_torn_tail(self.path)
            with open(self.path, "ab") as file:
                file.write(text.encode())
                file.flush()
                os.fsync(file.fileno())
        finally:
            self.file_lock.release()


def _without_torn_tail(path: Path) -> Path | None:
    """Cuts the journal after its last whole line; the lock is held. ValueError where more than one line is damaged."""
    with open(path, "r+b") as file:
        size = file.seek(0, os.SEEK_END)
        end = _line_start(file, size)
        if size == 0 or _whole(_read(file, end, size)):
            return None
        before = _line_start(file, end)
        if end > 0 and not _whole(_read(file, before, end)):
            raise ValueError(f"neither of its last two lines is a record: {_read(file, before, size)[:80]!r}")
        tail = _read(file, end, size)
        aside = path.with_name(f"{path.name}.torn-{time.strftime('%Y%m%d-%H%M%S')}-{end}")
        aside.write_bytes(tail)
        file.truncate(end)
        os.fsync(file.fileno())
    logger.warning("%s: its last %d bytes were torn off while they were written; kept in %s", path, len(tail), aside)
    return aside


def _read(file: Any, start: int, end: int) -> bytes:
    file.seek(start)
    found: bytes = file.read(end - start)
    return found


def _line_start(file: Any, end: int) -> int:
    """Where the line that ends (or breaks off) at `end` begins."""
    position = end - 1  # a newline there ends the line itself
    while position > 0:
        first = max(0, position - BLOCK)
        file.seek(first)
        found = file.read(position - first).rfind(b"\n")
        if found >= 0:
            return int(first + found + 1)
        position = first
    return 0


def _whole(line: bytes) -> bool:
    if not line.endswith(b"\n"):
        return False
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def open_storage(given: str | None, folder: Path) -> BaseStorage:
    """The storage that `tune.storage` names; the folder's own journal where it is None.

    Raises ConfigError for a URL that no driver takes, DataError for a damaged journal, ResourceError where the
    database does not answer or the file cannot be written.
    """
    name = None if given is None else os.path.expandvars(os.path.expanduser(given))
    if name is not None and "://" in name:
        return _database(name)
    path = (folder / JOURNAL if name is None else Path(name)).absolute()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return JournalStorage(MendedJournal(path))
    except OSError as error:
        raise ResourceError(f"tune.storage: {path}: cannot be written: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"tune.storage: {path}: not a journal of Optuna, or damaged before its end: {error}") from error


@contextlib.contextmanager
def exclusive(url: Any) -> Iterator[None]:
    """Open while this process alone changes a SQLite database, which locks no rows as the others do; `url` is
    SQLAlchemy's."""
    if url.get_backend_name() != "sqlite" or not url.database:
        yield
        return
    lock = JournalFileOpenLock(f"{os.path.abspath(url.database)}.trials")
    lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _database(url: str) -> RDBStorage:
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

    shown = url.rpartition("@")[2]  # no password in a message
    for pause in PAUSES:
        try:
            with exclusive(make_url(url)):  # two processes may make its tables
                return RDBStorage(url)
        except ImportError as error:
            raise ConfigError(f"tune.storage: {shown}: its driver is missing: {error}") from error
        except (ArgumentError, NoSuchModuleError) as error:
            raise ConfigError(f"tune.storage: {shown}: names no database that SQLAlchemy knows") from error
        except (SQLAlchemyError, RuntimeError, OSError) as error:
            problem = error
        time.sleep(pause)  # servers let two processes make the same tables, and refuse one of them
    name = type(problem).__name__
    raise ResourceError(f"tune.storage: {shown}: the database cannot be used ({name})") from problem
