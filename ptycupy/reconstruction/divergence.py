"""Divergence: noticed at the end of the iteration in which it happens, with what broke first."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.backends.interface import Array
from ptycupy.backends.together import to_host_together
from ptycupy.errors import DivergenceError
from ptycupy.reconstruction.teamwork import tiled

if TYPE_CHECKING:
    from ptycupy.reconstruction.engine import Engine

logger = logging.getLogger(__name__)
EXPLODED = 100.0  # times the first loss
NEGLIGIBLE = 0.01  # a first batch may fit perfectly: where its loss is below this, this stands for it
STRAYED = 4  # windows (or the canvas, where that is larger) that a position may move within one iteration
COLLAPSED = 1e-8  # intensity relative to the start (probe) or to vacuum (object)
SMALLEST_FACTOR = 1e-3  # of the learning rates, after which halving them is given up


@dataclass(frozen=True)
class Findings:
    """What tells whether the updates of an iteration did harm."""

    nonfinite: dict[str, int]  # values that are not finite, by State field
    transmitted: float  # intensity, the mean over the object
    transmission_size: int  # its pixels, of all tiles
    power: float  # of the probe
    shifts: NDArray[Any]  # [N, 2] px


def measures(engine: Engine) -> list[Array]:
    """What findings are made of, on the device."""
    backend, parameters = engine.backend, engine.parameters
    with backend.arena():
        counts = [backend.count_nonfinite(array) for _, array in parameters.items()]
        transmission = backend.transmission_forward(parameters.object_amplitude, parameters.object_phase)
        powers = backend.total_power(transmission), backend.total_power(parameters.probe)
    return [*powers, parameters.shifts, *counts]


def findings_of(engine: Engine, measured: Sequence[NDArray[Any]]) -> Findings:
    """The findings from the values of `measures`."""
    transmitted, power, shifts, *counts = measured
    names = [name for name, _ in engine.parameters.items()]
    nonfinite = {name: int(count[0]) for name, count in zip(names, counts, strict=True)}
    size = engine.parameters.object_phase.size
    sums = np.array([float(transmitted[0]), size, *(nonfinite[name] for name in tiled(engine))])
    if engine.tiles is not None:  # pixels that several tiles have count as often
        sums = engine.tiles.summed(sums)
        nonfinite |= dict(zip(tiled(engine), sums[2:].astype(int).tolist(), strict=True))
    return Findings(
        nonfinite=nonfinite,
        transmitted=float(sums[0] / sums[1]),
        transmission_size=int(sums[1]),
        power=float(power[0]),
        shifts=shifts,
    )


def examine(engine: Engine) -> Findings:
    """The findings as they are now, in one download."""
    return findings_of(engine, to_host_together(engine.backend, measures(engine)))


def diverged(engine: Engine, findings: Findings, loss: float, begun: float, number: int) -> bool:
    """True to go back and try again with half the learning rates; DivergenceError to stop.

    `loss` is the mean over the iteration, `begun` that of its first batch, with which the first iteration is compared.
    """
    first = engine.history.total[0] if engine.history.total else max(abs(begun), NEGLIGIBLE)
    damage = _damage(engine, findings)
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


def _damage(engine: Engine, findings: Findings) -> str:
    """The first array that is not finite, or the position that is out of reach; empty where all is well."""
    for name, array in engine.parameters.items():
        count = findings.nonfinite[name]
        if count:
            size = int(np.prod(array.shape)) if name not in tiled(engine) else findings.transmission_size
            return f"first array that is not finite: {name} ({count} of {size} values)"
    if findings.transmitted < COLLAPSED:
        return f"object_amplitude collapsed to {findings.transmitted**0.5:.2g} rms"
    start = engine.context.probe_intensity
    if not findings.power > COLLAPSED * start:
        return f"probe collapsed: its intensity is {findings.power:.2g}, at first it was {start:.4g}"
    shifts = np.abs(findings.shifts)
    canvas = engine.parameters.canvas if engine.tiles is None else engine.tiles.layout.canvas
    farthest = np.maximum(STRAYED * np.asarray(engine.parameters.window), canvas)
    strayed = np.flatnonzero((shifts > farthest).any(axis=1))
    if strayed.size:
        worst = float(shifts[strayed].max())
        return f"{strayed.size} positions, the first is {strayed[0]}, strayed by up to {worst:.4g} px in one iteration"
    return ""
