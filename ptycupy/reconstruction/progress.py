"""Progress: a bar on a terminal, a line now and then elsewhere, every iteration in the log file."""

from __future__ import annotations

import logging
import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ptycupy.reconstruction.callbacks import Quiet, Running
from ptycupy.reconstruction.logs import FILE_ONLY

if TYPE_CHECKING:
    from rich.progress import Progress

logger = logging.getLogger(__name__)


class IterationLog(Quiet):
    """Logs every iteration to the log file, and to a console without a bar at most once in `seconds_between`;
    the last one is always shown there."""

    def __init__(self, iterations: int, *, bar: bool, seconds_between: float = 2.0) -> None:
        self.iterations = iterations
        self.bar = bar
        self.seconds_between = seconds_between
        self._shown = -float("inf")

    def on_iteration(self, engine: Running) -> None:
        now = time.monotonic()
        last = engine.iteration >= self.iterations
        hidden = self.bar or (now - self._shown < self.seconds_between and not last)
        if not hidden:
            self._shown = now
        text = f"iteration {engine.iteration}/{self.iterations}  {figures(engine, self.iterations)}"
        logger.info(text, extra=FILE_ONLY if hidden else None)


class ProgressBar(Quiet):
    """A rich progress bar on stderr: loss, seconds per iteration, time left and memory. A context manager."""

    def __init__(self, iterations: int, done: int = 0) -> None:
        self.iterations = iterations
        self.done = done
        self._bar: Progress | None = None
        self._task: Any = None

    def __enter__(self) -> ProgressBar:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[figures]}"),
            console=Console(stderr=True),
        )
        self._task = self._bar.add_task("iteration", total=self.iterations, completed=self.done, figures="")
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def on_batch(self, engine: Running, number: int, batches: int) -> None:
        if self._bar is not None:
            self._bar.update(self._task, completed=min(engine.iteration + number / batches, self.iterations))

    def on_iteration(self, engine: Running) -> None:
        if self._bar is not None:
            self._bar.update(self._task, completed=engine.iteration, figures=figures(engine, self.iterations))


def figures(engine: Running, iterations: int) -> str:
    """Loss, seconds per iteration (mean of the last five), time left and peak memory."""
    history = engine.history
    recent = history.seconds[-5:]
    seconds = sum(recent) / len(recent) if recent else 0.0
    left = seconds * max(iterations - engine.iteration, 0)
    loss = history.total[-1] if history.total else float("nan")
    text = f"loss {loss:.5g}  {seconds:.3g} s/iteration  {duration(round(left))} left"
    memory = peak_memory_bytes()
    return text if memory is None else f"{text}  {memory / 2**30:.2f} GiB"


def peak_memory_bytes() -> int | None:
    """The most memory this process has held so far; None on systems that do not say."""
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)


def duration(seconds: float) -> str:
    """1.5 s, 12 min 03 s, 2 h 05 min."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{seconds:.3g} s"
