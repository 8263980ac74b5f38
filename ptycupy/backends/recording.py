"""Work that is recorded once and launched as a whole from then on: CUDA calls it a graph."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakSet

from ptycupy.errors import NotRecordable


class Recording:
    """What was recorded. It holds the memory that its work touches until it is dropped."""

    def __init__(self, launch: Callable[[], None], kept: Iterable[Any] = ()) -> None:
        self._launch: Callable[[], None] | None = launch
        self._kept = list(kept)

    @property
    def alive(self) -> bool:
        """False once a device that was short of memory has dropped it: record the work again."""
        return self._launch is not None

    def launch(self) -> None:
        """Queues the work with the arguments that it had, on what its arrays hold when it runs."""
        if self._launch is None:
            raise NotRecordable("a recording was launched after the device had dropped it to have its memory back")
        self._launch()

    def keep(self, things: Iterable[Any]) -> None:
        """These live as long as it does, too."""
        self._kept.extend(things)

    def drop(self) -> None:
        """Gives the memory back."""
        self._launch, self._kept = None, []


class Recorder:
    """What a device knows of the recording under way, and of those it has made."""

    def __init__(self) -> None:
        self._kept: list[Any] | None = None
        self._made: WeakSet[Recording] = WeakSet()

    @property
    def active(self) -> bool:
        return self._kept is not None

    @contextmanager
    def open(self) -> Iterator[list[Any]]:
        """While open, what is queued is recorded; gives the list of all that `keep` was told."""
        self.refuse("a recording within a recording")
        kept: list[Any] = []
        self._kept = kept
        try:
            yield kept
        finally:
            self._kept = None

    def keep(self, *things: Any) -> None:
        """While recording: these must live as long as the recording."""
        if self._kept is not None:
            self._kept.extend(things)

    def refuse(self, what: str) -> None:
        """Raises NotRecordable while recording."""
        if self._kept is not None:
            raise NotRecordable(f"{what} cannot be recorded")

    def made(self, launch: Callable[[], None], kept: Iterable[Any]) -> Recording:
        """The finished recording."""
        recording = Recording(launch, kept)
        self._made.add(recording)
        return recording

    def drop_all(self) -> None:
        """Every recording gives its memory back."""
        for recording in list(self._made):
            recording.drop()
        self._made.clear()


__all__ = ["Recorder", "Recording"]
