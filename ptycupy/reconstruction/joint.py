"""Several scans reconstructed together: what they share is one array, which the gradients of all of them move."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from ptycupy.backends.interface import Array
from ptycupy.backends.together import to_host_together
from ptycupy.errors import MemoryShortage
from ptycupy.experiment.seeds import generator
from ptycupy.model.objective import Loss
from ptycupy.model.parameters import Parameters
from ptycupy.reconstruction.callbacks import Callback, Quiet
from ptycupy.reconstruction.canvas import move, reanchor
from ptycupy.reconstruction.divergence import diverged, examine
from ptycupy.reconstruction.engine import Engine
from ptycupy.reconstruction.kept import Kept
from ptycupy.reconstruction.rates import refined_fields
from ptycupy.reconstruction.record import mean_loss, record
from ptycupy.reconstruction.sharing import Sharing
from ptycupy.reconstruction.teamwork import agree, gather_rows
from ptycupy.reconstruction.updates import clear, halve
from ptycupy.storage.snapshot import History
from ptycupy.update.constraints.variations import normalise_variations
from ptycupy.update.schedules import Progress

logger = logging.getLogger(__name__)
Turn = tuple[int, NDArray[np.int32]]  # number of a scan, one of its batches


class JointEngine:
    """Reconstructs the scans of several engines that share "probe", "object" or both.

    A batch is of one scan; the scans take turns in proportion to their batches. An update moves what is shared by the
    summed gradients of its batches (`gradient_accumulation` of the first scan's settings) and everything else only in
    the scans that its batches are of. Settings of the first scan hold for what is shared: its arrays are the start,
    its rates, schedules and constraints apply, once. Scans stay engines of their own, to be saved and looked at. Where
    several ranks share the work, each engine has a team of its own among the same ranks, with its share of the scan.
    Raises ConfigError where scans do not fit each other, or for settings that cannot be joined.
    """

    def __init__(self, engines: Sequence[Engine], share: Collection[str]) -> None:
        self.engines = tuple(engines)
        self.first = self.engines[0]
        self.sharing = Sharing(self.engines, share)
        for number, engine in enumerate(self.engines[1:], 2):
            if not (engine.iteration or engine.pending):  # else it was restored, with its generator
                engine.generator = generator(engine.settings.seed, f"batches of scan {number}")
        self._kept: list[list[Kept]] = []

    @property
    def iteration(self) -> int:
        """Finished iterations, the same of every scan."""
        return self.first.iteration

    @property
    def history(self) -> History:
        """Total loss, the mean over all patterns, and seconds of every iteration."""
        rows = np.array([engine.history.total for engine in self.engines])
        sizes = np.array([len(engine.used) for engine in self.engines])
        mine = self.first.history
        return History(iterations=mine.iterations, total=(sizes @ rows / sizes.sum()).tolist(), seconds=mine.seconds)

    @property
    def stop_requested(self) -> bool:
        """Set it to let the batch finish and end."""
        return any(engine.stop_requested for engine in self.engines)

    @stop_requested.setter
    def stop_requested(self, value: bool) -> None:
        for engine in self.engines:
            engine.stop_requested = value

    def run(
        self, iterations: int, callbacks: Sequence[Quiet] = (), of_scans: Sequence[Sequence[Callback]] = ()
    ) -> None:
        """Run that many more iterations, or until `stop_requested`; raises as Engine.run does.

        `callbacks` are called with this engine, those in `of_scans` with the scan's at the same place.
        """
        last = self.iteration + iterations
        try:
            while self.iteration < last and not self._stopping():
                self._iterate(callbacks, of_scans)
        finally:
            for engine in self.engines:
                engine.experiment.rest()
            for engine, theirs in zip(self.engines, of_scans, strict=False):
                for callback in theirs:
                    callback.on_stop(engine)

    def _stopping(self) -> bool:
        """Whether some rank is asked to stop, so that all do at the same place."""
        self.stop_requested = self.first.ranks.any(self.stop_requested)
        return self.stop_requested

    def _iterate(self, callbacks: Sequence[Quiet], of_scans: Sequence[Sequence[Callback]]) -> None:
        number, start = self.iteration + 1, time.perf_counter()
        begun = any(engine.pending or engine.batch_losses for engine in self.engines)
        if self.first.settings.on_divergence == "halve_lr" and not begun:
            self._kept = [*self._kept[-1:], [Kept.of(engine) for engine in self.engines]]
        if not any(engine.pending for engine in self.engines):
            for engine in self.engines:
                engine.pending, engine.batch_losses = engine._draw(), []
        for engine in self.engines:
            engine.experiment.expect([engine.ranks.own(batch) for batch in engine.pending], 1)
        self._batches(number, callbacks, of_scans)
        if any(engine.pending for engine in self.engines):
            return
        losses = [mean_loss(engine) for engine in self.engines]
        if any([self._diverged(engine, loss, number) for engine, loss in zip(self.engines, losses, strict=True)]):
            self._go_back(number)
            return
        self.sharing.constrain(number)
        for engine in self.engines:
            if engine.parameters.probe_variations is not None:  # never a shared one
                normalise_variations(engine.backend, engine.parameters, engine.context.probe_intensity)
            if refined_fields(engine, number) & {"shifts", "scan_affine"}:
                self._reanchor(engine)
            agree(engine)
        self.first.backend.synchronize()
        seconds = time.perf_counter() - start
        for engine, loss in zip(self.engines, losses, strict=True):
            present = [engine.parameters.slice_thickness, engine.parameters.tilts]
            record(engine, number, loss, seconds, *to_host_together(engine.backend, present))
        for callback in callbacks:
            callback.on_iteration(self)
        for engine, theirs in zip(self.engines, of_scans, strict=False):
            for one in theirs:
                one.on_iteration(engine)

    def _batches(self, number: int, callbacks: Sequence[Quiet], of_scans: Sequence[Sequence[Callback]]) -> None:
        """The iteration's updates, as far as no stop is requested."""
        backend = self.first.backend
        gradients = self.sharing.gradients(number)
        values = [backend.zeros((len(e.pending), len(e.terms)), np.float64) for e in self.engines]
        ran = [0] * len(self.engines)
        sizes: list[list[int]] = [[len(batch) for batch in engine.pending] for engine in self.engines]
        whole = [len(engine.pending) + len(engine.batch_losses) for engine in self.engines]
        done, total = sum(len(engine.batch_losses) for engine in self.engines), sum(whole)
        size, earlier = self.first.settings.gradient_accumulation, list(self.history.total)
        while any(engine.pending for engine in self.engines) and not self._stopping():
            turns: list[Turn] = []
            rows: list[Array] = []
            while len(turns) < size and (scan := self._next(whole)) is not None:
                turns.append((scan, self.engines[scan].pending.pop(0)))
                rows.append(values[scan][ran[scan]])
                ran[scan] += 1
            progress = Progress(number, done // size, -(-total // size), earlier)
            self._accumulate(turns, rows, gradients)
            self.sharing.step({scan for scan, _ in turns}, gradients, progress)
            done += len(turns)
            for callback in callbacks:
                callback.on_batch(self, done, total)
            for scan, _ in turns if of_scans else ():
                for one in of_scans[scan]:
                    one.on_batch(self.engines[scan], len(self.engines[scan].batch_losses) + ran[scan], whole[scan])
        for engine, of_scan, counts, count in zip(self.engines, values, sizes, ran, strict=True):
            found = backend.to_host(of_scan)[:count].tolist()
            engine.batch_losses += [[size, *row] for size, row in zip(counts, found, strict=False)]
        self.sharing.alias(self.first)
        for engine in self.engines:
            gather_rows(engine)

    def _next(self, whole: list[int]) -> int | None:
        """The scan with the largest share of its batches still to do, so that all end together; None when they have."""
        left = [len(engine.pending) / max(count, 1) for engine, count in zip(self.engines, whole, strict=True)]
        scan = int(np.argmax(left))
        return scan if left[scan] > 0 else None

    def _accumulate(self, turns: list[Turn], rows: list[Array], gradients: list[Parameters]) -> None:
        """Gradients of the mean loss of some batches, each weighted by its patterns, summed over the scans."""
        total = sum(len(batch) for _, batch in turns)
        while True:
            for scan in {scan for scan, _ in turns}:
                clear(self.engines[scan], gradients[scan])
            try:
                for (scan, batch), row in zip(turns, rows, strict=True):
                    engine = self.engines[scan]
                    share = len(batch) / total
                    engine._objective().accumulate(engine.parameters, gradients[scan], batch, row, share)
                self.sharing.add({scan for scan, _ in turns}, gradients)
                return
            except MemoryShortage as error:
                halve(engine, error, len(batch))
                for row in rows:
                    engine.backend.fill(row, 0.0)

    def _reanchor(self, engine: Engine) -> None:
        before = reanchor(engine)
        if before is not None and self.sharing.objects:
            for other in self.engines:
                if other is not engine:
                    move(other, before)
            self.sharing.alias(engine)

    def _diverged(self, engine: Engine, loss: Loss, number: int) -> bool:
        begun = engine._objective().loss(engine.batch_losses[0][1:])
        return diverged(engine, examine(engine), loss.total, begun.total, number)

    def _go_back(self, number: int) -> None:
        for engine, kept in zip(self.engines, self._kept[0], strict=True):
            kept.put_back(engine)
            engine.learning_rate_factor /= 2
        self._kept = []
        self.sharing.alias(self.first)
        logger.warning("iteration %d diverged: back to %d, half the learning rates", number, self.iteration)
