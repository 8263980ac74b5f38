"""What an iteration leaves in the history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.model.objective import Loss

if TYPE_CHECKING:
    from ptycupy.reconstruction.engine import Engine


def mean_loss(engine: Engine) -> Loss:
    """The mean over the batches of an iteration, each weighted by its patterns."""
    rows = np.asarray(engine.batch_losses)
    return engine._objective().loss((rows[:, :1] * rows[:, 1:]).sum(axis=0) / rows[:, 0].sum())


def record(
    engine: Engine, number: int, loss: Loss, seconds: float, thickness: NDArray[Any], tilts: NDArray[Any]
) -> None:
    """Ends iteration `number` with the present thickness and tilts; what is out of its limits is warned of."""
    h = engine.history
    engine.iteration = number
    h.patterns.append(sum(int(size) for size, *_ in engine.batch_losses))
    engine.batch_losses = []
    h.iterations.append(number)
    h.total.append(loss.total)
    h.seconds.append(seconds)
    h.add_losses(loss.terms)
    for name, _ in engine.parameters.items():
        rates = h.learning_rates.setdefault(name, [0.0] * (len(h.iterations) - 1))
        rates.append(engine.learning_rate(name, number))
    engine.limits.warn({"slice_thickness": thickness, "tilts": tilts})
    h.slice_thickness.append(float(thickness.mean()) if thickness.size else 0.0)  # one slice may have no gap
    tilt = tilts.mean(axis=0)
    h.mean_tilt.append((float(tilt[0]), float(tilt[1])))
