"""The lock of a run folder: one process writes, a second one is told who."""

from __future__ import annotations

import errno
import json
import logging
import os
import socket
import sys
import time
from pathlib import Path
from typing import Any

from ptycupy.errors import ResourceError
from ptycupy.storage import processes

logger = logging.getLogger(__name__)
UNSUPPORTED = (errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK, errno.EINVAL)
WINDOWS_LOCKED_BYTE = 1 << 30


class FolderLock:
    """Holds `run.lock`, which names host and pid of its holder; the system frees it when that process ends.

    The file of a process that died is taken over on the same host. A file from another host is respected, because
    not every network file system carries locks between hosts. Raises ResourceError while somebody else holds it.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "run.lock"
        self.descriptor = self._acquire()

    def _acquire(self) -> int:
        while True:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                free = _lock(descriptor)
                holder = _read(descriptor)
                self._refuse_if_held(holder, free)
                if not _same_file(descriptor, self.path):  # its holder removed it between our open and our lock
                    os.close(descriptor)
                    continue
                if holder:
                    logger.warning("%s: taken over from process %s, which is gone", self.path, holder.get("pid"))
                _write(descriptor, {"host": socket.gethostname(), "pid": os.getpid(), "since": time.ctime()})
            except BaseException:
                os.close(descriptor)
                raise
            return descriptor

    def _refuse_if_held(self, holder: dict[str, Any], free: bool | None) -> None:
        here = holder.get("host") in (None, socket.gethostname())
        if free is None:
            free = not holder or (here and not _alive(holder.get("pid")))
        if free and here:
            return
        hint = "wait for it, or choose another output.name"
        if free:
            hint = f"if that run is gone, delete {self.path}"
        raise ResourceError(
            f"{self.path.parent}: in use by process {holder.get('pid', '?')} on {holder.get('host', 'this host')}"
            f" since {holder.get('since', 'just now')}; {hint}"
        )

    def release(self) -> None:
        """Removes the file and frees the lock; a second call does nothing."""
        if self.descriptor < 0:
            return
        if sys.platform == "win32":  # an open file cannot be removed there
            os.ftruncate(self.descriptor, 0)
        else:
            self.path.unlink(missing_ok=True)
        os.close(self.descriptor)
        self.descriptor = -1


def _lock(descriptor: int) -> bool | None:
    """True when locked for us, False when another process has it, None where the file system has no locks."""
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(descriptor, WINDOWS_LOCKED_BYTE, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in UNSUPPORTED:
            return None
        if error.errno in (errno.EACCES, errno.EAGAIN, errno.EDEADLK):
            return False
        raise
    return True


def _alive(pid: Any) -> bool:
    """Whether a process of this host runs; unknown processes count as alive."""
    return not isinstance(pid, int) or processes.runs(pid)


def _read(descriptor: int) -> dict[str, Any]:
    os.lseek(descriptor, 0, os.SEEK_SET)
    text = os.read(descriptor, 4096).decode("utf-8", "replace").strip()
    try:
        holder = json.loads(text or "{}")
    except ValueError:
        return {}
    return holder if isinstance(holder, dict) else {}


def _write(descriptor: int, holder: dict[str, Any]) -> None:
    os.ftruncate(descriptor, 0)
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.write(descriptor, json.dumps(holder).encode())


def _same_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
