"""Signals: the first one lets the batch finish and the run save, Ctrl-C again stops at once."""

from __future__ import annotations

import logging
import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Protocol

logger = logging.getLogger(__name__)
NAMES = ("SIGINT", "SIGTERM", "SIGUSR1")  # Slurm warns with USR1 or TERM before the time limit


class Stoppable(Protocol):
    stop_requested: bool


class Interrupted(KeyboardInterrupt):
    """Stopped at once by a signal; `exit_code` is 130 after Ctrl-C and 143 after SIGTERM or SIGUSR1."""

    def __init__(self, exit_code: int) -> None:
        super().__init__(f"stopped by a signal ({exit_code})")
        self.exit_code = exit_code


class StopOnSignal:
    """While open, a signal sets `engine.stop_requested`; before `engine` is set, it raises Interrupted.

    A second Ctrl-C raises Interrupted as well. The handlers found at the start are put back at the end. Outside the
    main thread, where Python delivers no signals, this does nothing.
    """

    def __init__(self) -> None:
        self.engine: Stoppable | None = None
        self.exit_code: int | None = None  # set by the first signal
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopOnSignal:
        if threading.current_thread() is threading.main_thread():
            for name in NAMES:
                number = getattr(signal, name, None)
                if number is not None:  # Windows has no SIGUSR1
                    self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        self._before.clear()

    def request(self, by: str) -> None:
        """As a first Ctrl-C, from any thread; before `engine` is set, the run ends as soon as it is."""
        if self.exit_code is None:
            self.exit_code = 130
        self._stop(by)

    def _stop(self, by: str) -> None:
        if self.engine is not None and not self.engine.stop_requested:
            self.engine.stop_requested = True
            logger.warning("%s: finishing the batch and saving; Ctrl-C again stops at once", by)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        again = self.exit_code is not None and number == signal.SIGINT
        if self.exit_code is None:
            self.exit_code = 130 if number == signal.SIGINT else 143
        if again or self.engine is None:
            raise Interrupted(self.exit_code)
        self._stop(signal.Signals(number).name)
