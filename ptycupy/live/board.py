"""What the run's thread and the server's threads tell each other."""

from __future__ import annotations

import threading
from typing import Any

from ptycupy.live.controls import Controls
from ptycupy.live.look import Look
from ptycupy.storage.snapshot import Snapshot


class Board:
    """The present status and look of a run, for any number of browsers; only the newest is kept, so that none of them
    can hold the run up."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.version = 0
        self.look: Look | None = None
        self.controls: Controls | None = None  # from when a run can be told something
        self.paused = False
        self.closed = False
        self.watching = 0  # browsers
        self._status: dict[str, Any] = {"state": "preparing"}
        self._notes: list[str] = []

    def post(self, **facts: Any) -> None:
        """Some of the status is another now."""
        with self.changed:
            self._status |= facts
            self._tell()

    def note(self, text: str) -> None:
        """A line for the page's log."""
        with self.changed:
            self._notes = [*self._notes[-49:], text]
            self._tell()

    def show(self, snapshot: Snapshot) -> Look:
        """The pictures are these now, unless they hold what is not finite: the last good ones say more."""
        look = Look(snapshot, 1 if self.look is None else self.look.number + 1)
        if look.sound:
            with self.changed:
                self.look = look
                self._tell()
        return look

    def begin(self, controls: Controls) -> None:
        """A run, or the next stage of one, listens to these."""
        with self.changed:
            self.controls = controls
            self._tell()

    def end(self) -> None:
        """No run listens any more."""
        with self.changed:
            self.controls, self.paused = None, False
            self._tell()

    def pause(self, wanted: bool) -> None:
        """Whether the run is to wait after its iteration."""
        with self.changed:
            self.paused = wanted
            self._tell()

    def wait(self, seconds: float) -> None:
        """Until something changes, or so long."""
        with self.changed:
            self.changed.wait(seconds)

    def news(self, seen: int, seconds: float) -> tuple[int, dict[str, Any], Look | None] | None:
        """Version, status and look as soon as there is one newer than `seen`; None where none comes in time."""
        with self.changed:
            if not self.changed.wait_for(lambda: self.version > seen or self.closed, seconds):
                return None
            controls = self.controls
            status = {**self._status, "notes": self._notes, "paused": self.paused, "listens": controls is not None}
            return self.version, status, self.look

    def close(self) -> None:
        """Ends all streams, after what is newest."""
        with self.changed:
            self.closed = True
            self._tell()

    def _tell(self) -> None:
        self.version += 1
        self.changed.notify_all()
