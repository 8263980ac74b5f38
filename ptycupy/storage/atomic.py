"""Files that are either the old one or the new one, whatever happens in between."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import secrets
import socket
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ptycupy.errors import ResourceError
from ptycupy.storage import processes

log = logging.getLogger(__name__)
_PARTIAL = re.compile(r"\.ptycupy-(?P<host>[0-9a-f]{8})-(?P<pid>\d+)-[0-9a-f]{8}\.part$")


class Sink:
    """A binary file for h5py's `fileobj` driver that never fails inside HDF5.

    HDF5 cannot close a file whose driver failed, and the process dies later of a segmentation fault. So the first
    error (disk full, quota, an interrupt) is kept, later writes are dropped, and `error` is for the caller to raise
    once HDF5 has let go.
    """

    def __init__(self, raw: BinaryIO) -> None:
        self.raw = raw
        self.error: BaseException | None = None

    def write(self, data: bytes | memoryview) -> int:
        size = memoryview(data).nbytes
        if self.error is None:
            try:
                done = self.raw.write(data)
                while done < size:
                    done += self.raw.write(memoryview(data).cast("B")[done:])
            except BaseException as error:
                self.error = error
        return size

    def truncate(self, size: int | None = None) -> int:
        if self.error is None:
            try:
                return self.raw.truncate(size)
            except BaseException as error:
                self.error = error
        return 0 if size is None else size

    def flush(self) -> None:
        """Nothing is buffered here; `atomic_write` synchronises the file once, at its end."""

    def readinto(self, buffer: memoryview) -> int:
        target = memoryview(buffer).cast("B")
        data = self.raw.read(len(target))
        target[: len(data)] = data
        return len(data)

    def read(self, size: int = -1) -> bytes:
        return self.raw.read(size)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self.raw.seek(offset, whence)

    def tell(self) -> int:
        return self.raw.tell()


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[Sink]:
    """A `Sink` whose content becomes `path` when the block ends well: temporary file, fsync, `os.replace`, fsync.

    On any failure the temporary file is removed and an older file at `path` stays as it was. Raises ResourceError
    when the system refuses (disk full, quota, permissions); other exceptions of the block pass unchanged.
    """
    target = Path(path)
    partial = _partial(target)
    _remove_abandoned(target.parent)
    sink: Sink | None = None
    try:
        with open(partial, "w+b", buffering=0) as raw:
            sink = Sink(raw)
            yield sink
            if sink.error is not None:
                raise sink.error
            os.fsync(raw.fileno())
        os.replace(partial, target)
        _sync_folder(target.parent)
    except BaseException as error:
        with contextlib.suppress(FileNotFoundError):
            partial.unlink()
        # HDF5 may stumble over what was dropped after the first error; that error is what happened.
        cause = error if sink is None or sink.error is None else sink.error
        if isinstance(cause, OSError):
            state = "the file that was there is unchanged" if target.exists() else "nothing was written"
            raise ResourceError(f"{target}: could not be saved ({cause.strerror or cause}); {state}") from cause
        if cause is error:
            raise
        raise cause from error


def replace_quickly(path: Path, content: bytes) -> None:
    """`path` becomes a file with this content at once, for those who look; a power cut may lose it. Raises OSError."""
    partial = _partial(path)
    try:
        partial.write_bytes(content)
        os.replace(partial, path)
    except OSError:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise


def _partial(path: Path) -> Path:
    """Where its content is until it is whole; `_remove_abandoned` knows the name."""
    return path.parent / f".ptycupy-{_host()}-{os.getpid()}-{secrets.token_hex(4)}.part"


def _host() -> str:
    return f"{zlib.crc32(socket.gethostname().encode()):08x}"


def _sync_folder(folder: Path) -> None:
    """Makes the new name itself survive a power cut; Windows has no way to do so and needs none."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_abandoned(folder: Path) -> None:
    """Removes temporary files of processes of this machine that were killed while saving."""
    for file in folder.glob(".ptycupy-*.part"):
        match = _PARTIAL.match(file.name)
        if match and match["host"] == _host() and not processes.runs(int(match["pid"])):
            with contextlib.suppress(OSError):  # another process may be tidying up as well
                file.unlink()
                log.info("removed %s, left by a process that was killed while saving", file)
