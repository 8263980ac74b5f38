"""What is worth mending in a study, each with the line of the configuration that does it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState

from ptycupy.errors import ConfigError
from ptycupy.outputs.report import Advice
from ptycupy.tune.claims import REASON
from ptycupy.tune.space import Space
from ptycupy.tune.words import word
from ptycupy.tune.worker import Task

END = 0.03  # of a range
ENOUGH = 20  # complete trials, from which on their course says something
GAIN = 0.1  # of what the best trial is better by than the median one
EMPTY = 0.1  # of the spread of another trial's phase
FREEDOM = ("illumination.modes", "object.modes", "object.slices")  # more of them always lowers the loss


def advise(
    task: Task,
    trials: Sequence[FrozenTrial],
    done: Sequence[FrozenTrial],
    spreads: Sequence[tuple[int, float]] = (),
) -> list[Advice]:
    """In the order in which they matter; `trials` are all that count, `done` the complete ones, at least one, and
    `spreads` the standard deviations of the phases (rad) of trials that led, by their numbers, the best one last."""
    found = [*_failures(trials), *_freedom(task), *_empty(task, spreads)]
    if len(task.tune.objectives) == 1:
        best = min(done, key=lambda trial: trial.values[0])
        ends = (_at_an_end(task.space, key, best) for key in task.space.distributions)
        found += [one for one in ends if one is not None]
        found += _still_falling(task, done)
    return found


def _failures(trials: Sequence[FrozenTrial]) -> list[Advice]:
    failed = [trial for trial in trials if trial.state == TrialState.FAIL]
    if not failed:
        return []
    reason = str(failed[-1].user_attrs.get(REASON, "no reason")).rstrip(".")
    what = f"{len(failed)} of {len(trials)} trials failed, the last one, trial {failed[-1].number}, with: {reason}"
    return [Advice(what, "tune.space: narrower where these trials lie (trials.csv has them all)")]


def _freedom(task: Task) -> list[Advice]:
    keys = [key for key in task.space.distributions if key in FREEDOM]
    if "loss" not in task.tune.objectives or not keys:
        return []
    what = f"More freedom always lowers the loss, so that it cannot tell the best {' and '.join(keys)}"
    return [Advice(what, "tune.objectives: held_out_loss")]


def _empty(task: Task, spreads: Sequence[tuple[int, float]]) -> list[Advice]:
    """Contrast is a ratio, which an object of next to no phase may win."""
    if list(task.tune.objectives) != ["contrast"] or len(spreads) < 2:
        return []
    (best, own), (other, most) = spreads[-1], max(spreads, key=lambda one: one[1])
    if own >= EMPTY * most:
        return []
    what = (
        f"The phase of trial {best}, the best one, spreads by {own:.2g} rad, that of trial {other} by {most:.2g}: "
        "contrast is a ratio, and an object that is next to empty can have much of it"
    )
    return [Advice(what, "tune.objectives: held_out_loss, or tune.required_gain: 0.1, in a study of another name")]


def _at_an_end(space: Space, key: str, best: FrozenTrial) -> Advice | None:
    """Where the best value is next to an end that may lie further out."""
    distribution, value = space.distributions[key], best.params[key]
    if not isinstance(distribution, (FloatDistribution, IntDistribution)):
        return None
    low, high = distribution.low, distribution.high
    if isinstance(distribution, IntDistribution) and high - low < 2:
        return None
    scale = math.log if distribution.log else float
    first, last = scale(low), scale(high)
    place = (scale(value) - first) / (last - first) if last > first else 0.5
    if END <= place <= 1 - END:
        return None
    beyond = first - (last - first) / 2 if place < END else last + (last - first) / 2
    wider = float(f"{math.exp(beyond) if distribution.log else beyond:.3g}")
    if isinstance(distribution, IntDistribution):
        wider = round(wider)
    try:
        space.config({**best.params, key: wider})
    except ConfigError:
        return None  # nothing lies there
    ends = (wider, high) if place < END else (low, wider)
    what = f"{key}: the best value, {word(value)}, lies at the end of what was tried, {word(low)} .. {word(high)}"
    return Advice(
        what, f"tune.space.{key}: {{low: {word(ends[0])}, high: {word(ends[1])}}}, in a study of another name"
    )


def _still_falling(task: Task, done: Sequence[FrozenTrial]) -> list[Advice]:
    if len(done) < ENOUGH:
        return []
    values = np.array([trial.values[0] for trial in sorted(done, key=lambda trial: trial.number)])
    before, best = float(values[: 3 * len(values) // 4].min()), float(values.min())
    if before - best <= GAIN * (float(np.median(values)) - best):
        return []
    what = f"The last quarter of the trials still lowered {task.tune.objectives[0]}, from {before:.4g} to {best:.4g}"
    return [Advice(what, f"tune.trials: {2 * task.tune.trials}, and the same command again, which goes on")]
