"""Strong Wolfe line search along one direction, in plain numbers; what it evaluates is the caller's business."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ptycupy.errors import DivergenceError

DECREASE = 1e-4  # c1: share of the linear decrease that a step must reach
CURVATURE = 0.9  # c2: share of the slope that may be left


@dataclass(frozen=True)
class Point:
    """A place on the line: step, loss, slope along the direction, and the gradient there."""

    step: float
    loss: float
    slope: float
    gradient: Any


def strong_wolfe(
    evaluate: Callable[[float], Point], start: Point, step: float, largest: float, tolerance: float, most: int
) -> tuple[Point, int]:
    """A point that satisfies the strong Wolfe conditions, or the best within `most` evaluations after the first, and
    how many evaluations it took.

    Bracketing and zoom of Nocedal and Wright, Numerical Optimization (2006), algorithms 3.5 and 3.6, with cubic
    interpolation, in the order of decisions of torch.optim.LBFGS. `largest` is the largest component of the
    direction: the search ends when the bracket times it is below `tolerance`.
    Raises DivergenceError for a loss or slope that is not finite.
    """
    before, here, tried = start, _finite(evaluate(step)), 0
    bracket: list[Point] = []
    while tried < most:
        rises = here.loss > start.loss + DECREASE * here.step * start.slope
        if rises or (tried > 1 and here.loss >= before.loss):
            bracket = [before, here]
            break
        if abs(here.slope) <= -CURVATURE * start.slope:
            return here, tried + 1
        if here.slope >= 0:
            bracket = [before, here]
            break
        beyond = here.step + 0.01 * (here.step - before.step), here.step * 10
        step = _cubic(before, here, beyond)
        before, here, tried = here, _finite(evaluate(step)), tried + 1
    if not bracket:
        bracket = [start, here]
    return _zoom(evaluate, start, bracket, largest, tolerance, most, tried)


def _zoom(
    evaluate: Callable[[float], Point],
    start: Point,
    bracket: list[Point],
    largest: float,
    tolerance: float,
    most: int,
    tried: int,
) -> tuple[Point, int]:
    low, high = bracket if bracket[0].loss <= bracket[1].loss else bracket[::-1]
    stuck = False
    while tried < most and abs(high.step - low.step) * largest >= tolerance:
        left, right = sorted((low, high), key=lambda point: point.step)
        step = _cubic(bracket[0], bracket[1], (left.step, right.step))
        near = 0.1 * (right.step - left.step)
        if min(right.step - step, step - left.step) < near:  # hardly any progress: once is allowed
            if stuck or step >= right.step or step <= left.step:
                closer = abs(step - right.step) < abs(step - left.step)
                step, stuck = (right.step - near if closer else left.step + near), False
            else:
                stuck = True
        else:
            stuck = False
        here, tried = _finite(evaluate(step)), tried + 1
        if here.loss > start.loss + DECREASE * step * start.slope or here.loss >= low.loss:
            bracket = [here if point is high else point for point in bracket]
            low, high = bracket if bracket[0].loss <= bracket[1].loss else bracket[::-1]
            continue
        done = abs(here.slope) <= -CURVATURE * start.slope
        turned = not done and here.slope * (high.step - low.step) >= 0
        bracket = [here if point is low else (low if turned else point) for point in bracket]
        low, high = here, (low if turned else high)
        if done:
            break
    return low, tried + 1


def _cubic(a: Point, b: Point, bounds: tuple[float, float]) -> float:
    """The minimum, within bounds, of the cubic through two points with their slopes; their middle without one."""
    if a.step > b.step:
        a, b = b, a
    if a.step == b.step:
        return (bounds[0] + bounds[1]) / 2
    mean = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.step - b.step)
    square = mean**2 - a.slope * b.slope
    if square < 0:
        return (bounds[0] + bounds[1]) / 2
    root = math.sqrt(square)
    width = b.slope - a.slope + 2 * root
    if width == 0:
        return (bounds[0] + bounds[1]) / 2
    return min(max(b.step - (b.step - a.step) * ((b.slope + root - mean) / width), bounds[0]), bounds[1])


def _finite(point: Point) -> Point:
    if not (math.isfinite(point.loss) and math.isfinite(point.slope)):
        raise DivergenceError(
            f"L-BFGS: the loss became {point.loss:.4g} (slope {point.slope:.4g}) at a step of {point.step:.4g} in the "
            "line search: try a smaller learning rate, or one of another optimizer first"
        )
    return point
