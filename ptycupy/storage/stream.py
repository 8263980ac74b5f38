"""A Sink for libraries that write to a file object."""

from __future__ import annotations

import io
import os
from typing import Any

from ptycupy.storage.atomic import Sink


class Stream(io.RawIOBase):
    """A Sink as a file object without a descriptor; the first error that the system reports is raised at once."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def write(self, data: Any) -> int:
        done = self._sink.write(data)
        if self._sink.error is not None:
            raise self._sink.error
        return done

    def readinto(self, buffer: Any) -> int:
        return self._sink.readinto(memoryview(buffer))

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._sink.seek(offset, whence)

    def tell(self) -> int:
        return self._sink.tell()

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True
