"""When it is time for something that a run can do without, such as a picture."""

from __future__ import annotations

import time

SHARE = 0.02  # of the time at most, for what comes in turns


class Turns:
    """Due every `seconds`, and so much less often where a turn takes long that all of them take 2 % of the time."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._next = time.monotonic()

    @property
    def due(self) -> bool:
        return time.monotonic() >= self._next

    def took(self, seconds: float) -> None:
        """A turn has ended that took so long."""
        self._next = time.monotonic() + max(self.seconds, seconds / SHARE - seconds)
