"""Work that is queued as ever at first, and launched as one from then on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

from ptycupy.backends.interface import Backend
from ptycupy.backends.recording import Recording
from ptycupy.errors import MemoryShortage, NotRecordable

logger = logging.getLogger(__name__)
ATTEMPTS = 2  # at recording, each after the work ran as usual


class Repeated:
    """The same work, of which everything that differs from one time to the next lies in device memory.

    It is recorded at its second time, when kernels, plans and scratch are there.
    """

    def __init__(self, what: str) -> None:
        self._what = what  # in the log, "such batches"
        self._attempts = 0
        self._ran = False
        self.recording: Recording | None = None

    def run(self, backend: Backend, queue: Callable[[], None], frozen: Callable[[], Iterable[Any]]) -> None:
        """Queues the work; a recording of it keeps alive what is `frozen` in it."""
        if self.recording is not None and not self.recording.alive:
            self.recording, self._ran = None, False  # scratch went with it
        if self.recording is None and self._ran and self._attempts < ATTEMPTS:
            self._record(backend, queue, frozen)
        if not self._launched():
            queue()
            self._ran = True

    def drop(self) -> None:
        """Gives the recording's memory back."""
        if self.recording is not None:
            self.recording.drop()

    def _launched(self) -> bool:
        if self.recording is None:
            return False
        try:
            self.recording.launch()
        except MemoryShortage as error:  # of the launch itself: nothing ran
            logger.info("backend.graphs: %s", error)
            return False
        return True

    def _record(self, backend: Backend, queue: Callable[[], None], frozen: Callable[[], Iterable[Any]]) -> None:
        self._attempts += 1
        try:
            self.recording = backend.record(queue)
            self.recording.keep(frozen())
            self._attempts = 0
        except NotRecordable as error:
            told = "once more later" if self._attempts < ATTEMPTS else f"{self._what} run without"
            logger.info("backend.graphs: %s; %s", error, told)


__all__ = ["Repeated"]
