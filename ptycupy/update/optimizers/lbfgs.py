"""L-BFGS on all parameters together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ptycupy.backends.interface import Array
from ptycupy.errors import ConfigError
from ptycupy.update.algorithm import Work, without_momentum
from ptycupy.update.optimizers.interface import Moments
from ptycupy.update.optimizers.line_search import Point, strong_wolfe

Vector = dict[str, Array]  # one array per refined field, of its shape and type


@dataclass(frozen=True)
class Lbfgs:
    """Limited-memory BFGS (Nocedal, Math. Comp. 35, 773, 1980; Liu and Nocedal, Math. Program. 45, 503, 1989) as
    torch.optim.LBFGS defines it, with strong Wolfe line search by default.

    Every update does up to `max_iter` iterations on its batches. There is one learning rate, the least of those
    above 0, as in PtyRAD: the first step tried. The memory is begun anew when other fields are refined.
    Raises DivergenceError for a loss that is not finite. Meant for large batches: the curvature is that of one batch.
    """

    history_size: int = 100
    max_iter: int = 20
    max_eval: int | None = None  # of the loss per update; 5/4 max_iter by default
    tolerance_grad: float = 1e-7
    tolerance_change: float = 1e-9
    line_search_fn: Literal["strong_wolfe"] | None = "strong_wolfe"

    def __post_init__(self) -> None:
        if self.line_search_fn not in (None, "strong_wolfe"):
            raise ConfigError(f"lbfgs: line_search_fn {self.line_search_fn!r} must be strong_wolfe or null")

    def advance(self, work: Work) -> None:
        if work.momenta:
            raise without_momentum(self)
        if not work.rates:
            work.evaluate(work.values)
            return
        if set(work.moments) != set(work.rates):
            work.moments.clear()
            work.moments.update({name: Moments() for name in work.rates})
        _Update(self, work).run()


class _Update:
    """The iterations of one update."""

    def __init__(self, options: Lbfgs, work: Work) -> None:
        self.options, self.work, self.backend = options, work, work.backend
        self.names = list(work.rates)
        self.moments = work.moments
        self.scalars = work.moments[self.names[0]].scalars  # numbers of all parameters together
        self.parameters: Vector = {name: getattr(work.parameters, name) for name in self.names}
        self.gradient: Vector = {name: getattr(work.gradients, name) for name in self.names}
        self.trial = self.backend.zeros(work.values.shape, work.values.dtype)

    def run(self) -> None:
        """torch.optim.LBFGS.step; Nocedal and Wright (2006), algorithm 7.5."""
        options, rate = self.options, min(self.work.rates.values())
        most = options.max_iter * 5 // 4 if options.max_eval is None else options.max_eval
        self.work.evaluate(self.work.values)
        loss, evaluations = self.work.loss(self.work.values), 1
        if self._largest(self.gradient) <= options.tolerance_grad:
            return
        for iteration in range(1, options.max_iter + 1):
            first = not self.scalars.get("iterations")
            self.scalars["iterations"] = self.scalars.get("iterations", 0.0) + 1
            direction = self._first_direction() if first else self._direction()
            self._keep("gradient", self.gradient)
            step = min(1.0, 1 / self._sum(self.gradient)) * rate if first else rate
            slope = self._dot(self.gradient, direction)
            self._keep("direction", direction)
            self.scalars["step"] = step
            if not slope <= -options.tolerance_change:
                return
            before = loss
            if options.line_search_fn is not None:
                found, tried = self._search(direction, Point(0.0, loss, slope, self.gradient), step, most - evaluations)
                step, loss, evaluations = found.step, found.loss, evaluations + tried
                self._copy(self.gradient, found.gradient)
                self._add(self.parameters, direction, step)
            else:
                self._add(self.parameters, direction, step)
                if iteration < options.max_iter:
                    self.work.evaluate(self.trial)
                    loss, evaluations = self.work.loss(self.trial), evaluations + 1
            self.scalars["step"] = step
            if (
                evaluations >= most
                or self._largest(self.gradient) <= options.tolerance_grad
                or self._largest(direction) * abs(step) <= options.tolerance_change
                or abs(loss - before) < options.tolerance_change
            ):
                return

    def _search(self, direction: Vector, start: Point, step: float, most: int) -> tuple[Point, int]:
        at = self._clone(self.parameters)
        start = Point(start.step, start.loss, start.slope, self._clone(self.gradient))

        def evaluate(step: float) -> Point:
            self._add(self.parameters, direction, step)
            self.work.evaluate(self.trial)
            self._copy(self.parameters, at)
            slope = self._dot(self.gradient, direction)
            return Point(step, self.work.loss(self.trial), slope, self._clone(self.gradient))

        return strong_wolfe(evaluate, start, step, self._largest(direction), self.options.tolerance_change, most)

    def _first_direction(self) -> Vector:
        direction = self._clone(self.gradient)
        self._scale(direction, -1.0)
        return direction

    def _direction(self) -> Vector:
        """-H g by the two-loop recursion (Nocedal and Wright, algorithm 7.4), after the newest pair is remembered."""
        change = self._clone(self.gradient)
        self._add(change, self._kept("gradient"), -1.0)
        step = self._clone(self._kept("direction"))
        self._scale(step, self.scalars["step"])
        curvature = self._dot(change, step)
        if curvature > 1e-10:
            self._remember(change, step, curvature)
            self.scalars["scale"] = curvature / self._dot(change, change)
        direction = self._first_direction()
        count = int(self.scalars.get("pairs", 0))
        alphas = [0.0] * count
        for i in reversed(range(count)):
            alphas[i] = self._dot(self._kept(f"step {i:03d}"), direction) / self.scalars[f"curvature {i:03d}"]
            self._add(direction, self._kept(f"change {i:03d}"), -alphas[i])
        self._scale(direction, self.scalars.get("scale", 1.0))
        for i in range(count):
            beta = self._dot(self._kept(f"change {i:03d}"), direction) / self.scalars[f"curvature {i:03d}"]
            self._add(direction, self._kept(f"step {i:03d}"), alphas[i] - beta)
        return direction

    def _remember(self, change: Vector, step: Vector, curvature: float) -> None:
        """Pairs are numbered from the oldest; a full memory forgets that one."""
        count = int(self.scalars.get("pairs", 0))
        if count == self.options.history_size:
            for i in range(1, count):
                self.scalars[f"curvature {i - 1:03d}"] = self.scalars[f"curvature {i:03d}"]
                for memory in self.moments.values():
                    for kind in ("change", "step"):
                        memory.arrays[f"{kind} {i - 1:03d}"] = memory.arrays[f"{kind} {i:03d}"]
            count -= 1
        self.scalars[f"curvature {count:03d}"] = curvature
        self.scalars["pairs"] = float(count + 1)
        self._keep(f"change {count:03d}", change)
        self._keep(f"step {count:03d}", step)

    # --- vectors ------------------------------------------------------------------------------------------------
    def _kept(self, key: str) -> Vector:
        return {name: self.moments[name].arrays[key] for name in self.names}

    def _keep(self, key: str, vector: Vector) -> None:
        for name, array in self._clone(vector).items():
            self.moments[name].arrays[key] = array

    def _clone(self, vector: Vector) -> Vector:
        copies = {name: self.backend.zeros(array.shape, array.dtype) for name, array in vector.items()}
        self._copy(copies, vector)
        return copies

    def _copy(self, target: Vector, source: Vector) -> None:
        for name in self.names:
            self.backend.copy(target[name], source[name])

    def _add(self, target: Vector, source: Vector, factor: float) -> None:
        for name in self.names:
            self.backend.combine(target[name], source[name], 1.0, factor)

    def _scale(self, vector: Vector, factor: float) -> None:
        for array in vector.values():
            self.backend.combine(array, array, factor, 0.0)

    def _dot(self, a: Vector, b: Vector) -> float:
        with self.backend.arena():
            return sum(float(self.backend.to_host(self.backend.dot(a[name], b[name]))[0]) for name in self.names)

    def _magnitudes(self, vector: Vector) -> list[tuple[float, float]]:
        with self.backend.arena():
            found = [self.backend.to_host(self.backend.magnitudes(vector[name])) for name in self.names]
            return [(float(largest), float(total)) for largest, total in found]

    def _largest(self, vector: Vector) -> float:
        return max(largest for largest, _ in self._magnitudes(vector))

    def _sum(self, vector: Vector) -> float:
        return sum(total for _, total in self._magnitudes(vector))
