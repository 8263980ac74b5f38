"""One update of an engine: the gradients of some batches, in sub-batches that fit into memory, and the step."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ptycupy.backends.interface import Array
from ptycupy.errors import MemoryShortage
from ptycupy.model.parameters import Parameters
from ptycupy.reconstruction.graphs import Group, Slot
from ptycupy.reconstruction.rates import rates_of
from ptycupy.reconstruction.teamwork import add_gradients, scattered
from ptycupy.update.algorithm import Work
from ptycupy.update.schedules import Progress

if TYPE_CHECKING:
    from ptycupy.reconstruction.engine import Engine

logger = logging.getLogger(__name__)


def update(
    engine: Engine, group: Group, gradients: Parameters, values: Array, progress: Progress, *, last: bool
) -> None:
    """One update for the mean loss of some batches; `values` [batches, terms] gets their terms before it.

    `last`: of its iteration. Raises MemoryShortage where one pattern at a time does not fit.
    """
    engine.experiment.stage(engine.ranks.own(np.concatenate(group)))
    if not engine.graphs.advance(
        engine, group, values, lambda slot: _move(engine, group, gradients, slot.values, progress, last, slot)
    ):
        _move(engine, group, gradients, values, progress, last)


def halve(engine: Engine, error: MemoryShortage, largest: int) -> None:
    """Half the sub-batch for the next try with batches of up to `largest` patterns; the error where it is 1."""
    if not engine.ranks.report(error):
        return
    size = min(engine.sub_batch, largest)
    if size == 1:
        raise error
    engine.sub_batch = (size + 1) // 2
    # The error's text, because whoever keeps the error keeps the arrays of what failed; so do its frames until then.
    logger.warning("%s; going on with sub-batches of %d patterns", str(error), engine.sub_batch)
    failed: BaseException | None = error
    while failed is not None:
        traceback.clear_frames(failed.__traceback__)
        failed.__traceback__ = None  # a cleared frame still has its function, with all that it closes over
        earlier = failed.__context__  # what whoever runs the engine is handling is none of ours
        failed = failed.__cause__ or (earlier if isinstance(earlier, MemoryShortage) else None)
    engine.backend.release()


def clear(engine: Engine, gradients: Parameters) -> None:
    """Gradients of zero."""
    for _, grad in gradients.items():
        if grad is not None:
            engine.backend.fill(grad, 0.0)


def _move(
    engine: Engine,
    group: Group,
    gradients: Parameters,
    values: Array,
    progress: Progress,
    last: bool,
    slot: Slot | None = None,
) -> None:
    """Queues one update, which reads what differs between updates from a slot where there is one."""
    placed, numbers = (None, None) if slot is None else (slot.batches, slot.numbers)

    def evaluate(values: Array, names: Collection[str] | None = None) -> None:
        wanted = gradients if names is None else gradients.only(names)
        clear(engine, wanted)
        engine.backend.fill(values, 0.0)
        _accumulate(engine, group, wanted, values, placed)

    work = Work(
        backend=engine.backend,
        experiment=engine.experiment,
        parameters=engine.parameters,
        gradients=gradients,
        moments=engine.moments,
        rates=rates_of(engine, gradients, progress),
        batches=group,
        values=values,
        evaluate=evaluate,
        loss=lambda values: _mean_loss(engine, group, values),
        sub_batch=lambda: engine.sub_batch,
        make_smaller=lambda error: halve(engine, error, sum(len(batch) for batch in group)),
        factors={n: engine.learning_rate_factor * engine.plan.factor(n, progress) for n, _ in gradients.items()},
        last=last,
        momenta=engine.plan.momenta(engine.settings.learning_rates, progress),
        numbers=numbers,
        ranks=engine.ranks,
    )
    engine.algorithm.advance(work)
    engine.scattered |= scattered(engine, gradients).keys() & work.rates.keys()
    for name in work.rates:
        engine.limits.keep(engine.backend, name, getattr(engine.parameters, name))


def _accumulate(
    engine: Engine, group: Group, gradients: Parameters, values: Array, placed: Sequence[Array] | None
) -> None:
    """Gradients of the mean loss of some batches, each weighted by its patterns; halves sub-batches that do not fit
    into memory, and begins again."""
    total = sum(len(batch) for batch in group)
    while True:
        try:
            for i, batch in enumerate(group):
                share = len(batch) / total
                where = None if placed is None else placed[i]
                engine._objective().accumulate(engine.parameters, gradients, batch, values[i], share, where)
            add_gradients(engine, gradients)
            return
        except MemoryShortage as error:
            halve(engine, error, max(len(batch) for batch in group))
            clear(engine, gradients)
            engine.backend.fill(values, 0.0)


def _mean_loss(engine: Engine, group: Sequence[NDArray[np.int32]], values: Array) -> float:
    """The mean loss of some batches, each weighted by its patterns, from their terms' values."""
    sizes = np.array([len(batch) for batch in group])
    return float(engine._objective().loss(sizes @ engine.backend.to_host(values) / sizes.sum()).total)
