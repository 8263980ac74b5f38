"""Divergence: noticed at the end of the iteration in which it happens, with what broke first."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

from ptycupy.errors import DivergenceError

if TYPE_CHECKING:
    from ptycupy.reconstruction.engine import Engine

logger = logging.getLogger(__name__)
EXPLODED = 100.0  # times the first loss
NEGLIGIBLE = 0.01  # a first batch may fit perfectly: where its loss is below this, this stands for it
STRAYED = 4  # windows (or the canvas, where that is larger) that a position may move within one iteration
COLLAPSED = 1e-8  # intensity relative to the start (probe) or to vacuum (object)
SMALLEST_FACTOR = 1e-3  # of the learning rates, after which halving them is given up


def diverged(engine: Engine, loss: float, begun: float, number: int) -> bool:
    """True to go back and try again with half the learning rates; DivergenceError to stop.

    `loss` is the mean over the iteration, `begun` that of its first batch, with which the first iteration is compared.
    """
    first = engine.history.total[0] if engine.history.total else max(abs(begun), NEGLIGIBLE)
    damage = _damage(engine)
    broken = not np.isfinite(loss) or bool(damage)
    if not broken and not abs(loss) > EXPLODED * max(abs(first), 1e-12):
        return False
    policy = engine.settings.on_divergence
    if policy == "halve_lr" and engine.learning_rate_factor > SMALLEST_FACTOR:
        return True
    if not broken and policy == "continue":
        logger.warning("iteration %d: loss %.4g is over %g times the first, %.4g", number, loss, EXPLODED, first)
        return False
    rates = {name: engine.learning_rate(name, number) for name in engine.settings.learning_rates}
    told = ", ".join(f"{name} {rate:g}" for name, rate in rates.items() if rate > 0)
    other = "" if policy == "halve_lr" else ", or reconstruction.on_divergence: halve_lr"
    raise DivergenceError(
        f"iteration {number}: the loss became {loss:.4g} (at first {first:.4g}){f'; {damage}' if damage else ''}. "
        f"Learning rates were {told or 'all 0'}: try a tenth of them{other}"
    )


def _damage(engine: Engine) -> str:
    """The first array that is not finite, or the position that is out of reach; empty where all is well."""
    backend = engine.backend
    for name, array in engine.parameters.items():
        with backend.arena():
            count = int(backend.to_host(backend.count_nonfinite(array))[0])
        if count:
            return f"first array that is not finite: {name} ({count} of {int(np.prod(array.shape))} values)"
    collapsed = _collapsed(engine)
    if collapsed:
        return collapsed
    shifts = np.abs(backend.to_host(engine.parameters.shifts))
    farthest = np.maximum(STRAYED * np.asarray(engine.parameters.window), engine.parameters.canvas)
    strayed = np.flatnonzero((shifts > farthest).any(axis=1))
    if strayed.size:
        worst = float(shifts[strayed].max())
        return f"{strayed.size} positions, the first is {strayed[0]}, strayed by up to {worst:.4g} px in one iteration"
    return ""


def _collapsed(engine: Engine) -> str:
    """Which of object and probe has become next to nothing; empty where neither has."""
    backend, parameters = engine.backend, engine.parameters
    with backend.arena():
        transmission = backend.transmission_forward(parameters.object_amplitude, parameters.object_phase)
        transmitted = float(backend.to_host(backend.total_power(transmission))[0]) / transmission.size
        power = float(backend.to_host(backend.total_power(parameters.probe))[0])
    if transmitted < COLLAPSED:
        return f"object_amplitude collapsed to {transmitted**0.5:.2g} rms"
    if not power > COLLAPSED * engine.context.probe_intensity:
        return f"probe collapsed: its intensity is {power:.2g}, at first it was {engine.context.probe_intensity:.4g}"
    return ""
