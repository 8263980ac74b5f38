"""A reconstruction that follows a file being written: new patterns join between iterations."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ptycupy.data import open_source
from ptycupy.data.counts import PackedPatterns
from ptycupy.data.growing import beginning, growing_of, patterns_there
from ptycupy.data.held import stored_type
from ptycupy.data.source import PatternSource
from ptycupy.errors import DataError
from ptycupy.reconstruction.callbacks import Quiet
from ptycupy.reconstruction.fingerprint import data_fingerprint
from ptycupy.reconstruction.progress import IterationLog
from ptycupy.storage.snapshot import Snapshot

if TYPE_CHECKING:
    from ptycupy.config.schema import Data
    from ptycupy.reconstruction.engine import Engine

logger = logging.getLogger(__name__)
POLL_SECONDS = 0.2
SHARE = 10  # one in so many patterns of the scan is what a run begins with by default


def wait_for_patterns(data: Data) -> tuple[PatternSource, int]:
    """The growing source of `data.follow` once it has the patterns to begin with, and how many these are.

    Raises DataError where they have not come, and nothing new came, for `timeout_seconds`.
    """
    assert data.follow is not None
    timeout, source, found = data.follow.timeout_seconds, None, -1
    changed, reason, told = time.monotonic(), "", False
    while True:
        try:
            source = open_source(data) if source is None else source
            growing_of(source).look()
        except DataError as error:  # not there yet, or hardly begun
            reason = str(error)
        if source is not None:
            count, wanted = patterns_there(source), data.follow.start_with or max(1, source.shape[0] // SHARE)
            if count >= wanted:
                return source, wanted
            changed, found = (time.monotonic(), count) if count > found else (changed, found)
            reason = f"{source.provenance.path}: {count} patterns came, data.follow.start_with wants {wanted}"
        if time.monotonic() - changed > timeout:
            raise DataError(f"{reason}; nothing new for {timeout:g} s (data.follow.timeout_seconds)")
        if not told:
            logger.info("waiting for patterns: %s", reason)
            told = True
        time.sleep(POLL_SECONDS)


class Follower(Quiet):
    """A callback that gives an engine what has come since, and ends its run.

    The engine's Problem is one of build_following; `chosen` [N] says which positions may take part. `iterations` are
    counted from when the last pattern came: until the scan is whole, or nothing new came for `timeout` seconds, the
    run goes on, and waits where it has nothing to improve.
    """

    def __init__(self, engine: Engine, chosen: NDArray[np.bool_], iterations: int, timeout: float) -> None:
        self.engine, self.chosen, self.iterations, self.timeout = engine, chosen, iterations, timeout
        self.source: PatternSource = engine.problem.patterns
        self.growing = growing_of(self.source)
        self.weights = np.array(engine.backend.to_host(engine.experiment.weights), np.bool_)
        used = np.flatnonzero(self.weights)
        self.there = int(used[-1]) + 1 if used.size else 0  # patterns that the engine has
        self.changed = time.monotonic()
        self.gave_up = False
        self.log: IterationLog | None = None
        engine.fingerprint = self.fingerprint(self.there)

    @property
    def whole(self) -> bool:
        """Whether all patterns are there."""
        return self.there == self.source.shape[0]

    @property
    def counted(self) -> int:
        """Iterations with all patterns that are there now."""
        counts = self.engine.history.patterns
        return next((n for n, count in enumerate(reversed(counts)) if count != len(self.engine.used)), len(counts))

    @property
    def satisfied(self) -> bool:
        """Whether the run may end."""
        return self.counted >= self.iterations and (self.whole or self.gave_up)

    def grow(self) -> None:
        """Brings the patterns that are whole now to the engine, and gives up where none came for too long."""
        if self.whole or self.gave_up:
            return
        self.growing.look()
        count = patterns_there(self.source)
        if count > self.there:
            self._take(slice(self.there, count))
            logger.info("%d of %d patterns are there", self.there, self.source.shape[0])
        elif time.monotonic() - self.changed > self.timeout:
            self.gave_up = True
            logger.warning(
                "no new pattern for %g s (data.follow.timeout_seconds): going on with %d of %d",
                self.timeout, self.there, self.source.shape[0],
            )  # fmt: skip

    def _take(self, part: slice) -> None:
        engine, backend = self.engine, self.engine.backend
        patterns = engine.experiment.patterns
        assert not isinstance(patterns, PackedPatterns)  # build_following asks for dense ones
        values = self.source.read(np.arange(part.start, part.stop))
        values = np.ascontiguousarray(values, stored_type(values.dtype))
        backend.copy(patterns[part], backend.asarray(values))
        filled = (values != 0).any(axis=(1, 2))
        if not filled.all():
            empty = part.start + np.flatnonzero(~filled)
            logger.warning("%d new patterns are all zero and get weight 0: %s", empty.size, empty[:10].tolist())
        self.weights[part] = filled & self.chosen[part]
        backend.copy(engine.experiment.weights, backend.asarray(self.weights.astype(np.uint8)))  # graphs know its place
        engine.used = np.flatnonzero(self.weights).astype(np.int32)
        self.there, self.changed = part.stop, time.monotonic()
        engine.fingerprint = self.fingerprint(self.there)

    def fingerprint(self, count: int) -> str:
        """What tells the first patterns from others; once all are there, that of any run with these data."""
        total = self.source.shape[0]
        if count == total:
            return data_fingerprint(self.source)
        return f"{count} of {total}, {data_fingerprint(beginning(self.source, count))}"

    def fits(self, snapshot: Snapshot) -> None:
        """DataError where a snapshot is not of the first patterns of this file."""
        number = snapshot.data_fingerprint.partition(" of ")[0]
        count = int(number) if number.isdecimal() and " of " in snapshot.data_fingerprint else self.source.shape[0]
        while count > self.there and not self.gave_up:
            time.sleep(POLL_SECONDS)  # the newest pattern takes its time to be taken for whole
            self.grow()
        if count > self.there:
            raise DataError(f"it is of {count} patterns, but {self.there} are there now")
        if self.fingerprint(count) != snapshot.data_fingerprint:
            raise DataError(f"the first {count} patterns are others than it is of")
        used = self.engine.used
        if not np.array_equal(used[used < count], snapshot.used):
            raise DataError(f"other positions of the first {count} take part now")

    def on_iteration(self, engine: Engine) -> None:
        self.grow()
        while self.counted >= self.iterations and not (self.satisfied or engine.stop_requested):
            time.sleep(POLL_SECONDS)
            self.grow()
        if self.log is not None:
            self.log.iterations = engine.iteration - self.counted + self.iterations
        if self.satisfied:
            engine.stop_requested = True
