"""Fourier transforms of rows and columns of LANES numbers at a time, open in the middle.

n = n1 n2 (Cooley and Tukey, Math. Comp. 19, 297 (1965)): transforms of n1 points, factors exp(-2 pi i k1 m2 / n),
transforms of n2 points. A transform ends where the next one back begins, with the same numbers in registers, so that
whatever belongs between two of them happens there and costs no pass over memory.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable
from typing import Any

from ptycupy.backends.cpu.lanes import LANES, Lanes, Memory, shuffle
from ptycupy.backends.sizes import FACTORS

FORWARD, INVERSE = -1, 1

Load = Callable[[Any], Lanes]
Store = Callable[[Any, Lanes], None]


def points(x: list[Lanes], sign: int) -> list[Lanes]:
    """The unnormalised transform of 1, 2, 4, 8, ... values, in registers."""
    n = len(x)
    if n == 1:
        return x
    if n == 2:
        return [x[0] + x[1], x[0] - x[1]]
    if n == 4:
        even, odd = (x[0] + x[2], x[0] - x[2]), (x[1] + x[3], (x[1] - x[3]).turned(sign / 4))
        return [even[0] + odd[0], even[1] + odd[1], even[0] - odd[0], even[1] - odd[1]]
    parts = 2 if n == 8 else 4
    inner = [points(x[j::parts], sign) for j in range(parts)]
    outer = [points([inner[j][k].turned(sign * j * k / n) for j in range(parts)], sign) for k in range(n // parts)]
    return [outer[k][q] for q in range(parts) for k in range(n // parts)]


# --- columns: LANES neighbours at once, all along the other axis ---------------------------------------------------
class Columns:
    """Transforms along an axis of n points; what lies between its two halves stays in `scratch`, n LANES numbers."""

    def __init__(self, memory: Memory, n: int) -> None:
        self.memory, self.n = memory, n
        self.n1, self.n2 = FACTORS[n]
        turns = [-2j * math.pi * k1 * m2 / n for k1 in range(self.n1) for m2 in range(self.n2)]
        self.factors = memory.constants([part for t in turns for part in (cmath.exp(t).real, cmath.exp(t).imag)])
        self.scratch = memory.scratch(2 * LANES * n)

    def begin(self, load: Load) -> None:
        """First half of the forward transform of load(y)."""
        memory = self.memory
        with memory.loop(self.n2) as m2:
            values = points([load(memory.at(m2, m1 * self.n2)) for m1 in range(self.n1)], FORWARD)
            for k1, value in enumerate(values):
                place = memory.at(m2, k1 * self.n2)
                self._put(place, value * self._factor(place) if k1 else value)

    def end(self, store: Store) -> None:
        """Second half of the inverse transform, into store(y, value)."""
        memory = self.memory
        with memory.loop(self.n2) as m2:
            values = points([self._get(memory.at(m2, k1 * self.n2)) for k1 in range(self.n1)], INVERSE)
            for m1, value in enumerate(values):
                store(memory.at(m2, m1 * self.n2), value)

    def turn(self, between: Callable[[Any, Lanes], Lanes]) -> None:
        """Second half forward, between(frequency, value) -> value, and first half back."""
        with self.memory.loop(self.n1) as k1:
            self._back(k1, [between(*pair) for pair in self._forth(k1)])

    def leave(self, store: Store) -> None:
        """Second half forward, into store(frequency, value)."""
        with self.memory.loop(self.n1) as k1:
            for frequency, value in self._forth(k1):
                store(frequency, value)

    def enter(self, load: Load) -> None:
        """First half of the inverse transform of load(frequency)."""
        with self.memory.loop(self.n1) as k1:
            self._back(k1, [load(self._frequency(k1, k2)) for k2 in range(self.n2)])

    def _forth(self, k1: Any) -> list[tuple[Any, Lanes]]:
        values = points([self._get(self.memory.at((k1, self.n2), m2)) for m2 in range(self.n2)], FORWARD)
        return [(self._frequency(k1, k2), value) for k2, value in enumerate(values)]

    def _back(self, k1: Any, spectrum: list[Lanes]) -> None:
        for m2, value in enumerate(points(spectrum, INVERSE)):
            place = self.memory.at((k1, self.n2), m2)
            self._put(place, self._factor(place).conjugate_times(value) if m2 else value)

    def _frequency(self, k1: Any, k2: int) -> Any:
        return self.memory.at(k1, self.n1 * k2)

    def _factor(self, place: Any) -> Lanes:
        return self.memory.broadcast(self.factors, self.memory.at((place, 2)))

    def _get(self, place: Any) -> Lanes:
        return self.memory.load(self.scratch, self.memory.at((place, 2 * LANES)))

    def _put(self, place: Any, value: Lanes) -> None:
        self.memory.store(self.scratch, self.memory.at((place, 2 * LANES)), value)


# --- rows: LANES neighbours of the same row ------------------------------------------------------------------------
def row_forward(memory: Memory, values: dict[int, Lanes], store: Store) -> None:
    """The transform of a row, values by their first column, into store(first frequency, value)."""
    n = LANES * len(values)
    n1, n2 = FACTORS[n]
    by_group: dict[int, list[Lanes]] = {g: [] for g in range(0, n1, LANES)}
    for h in range(0, n2, LANES):
        mixed = points([values[m1 * n2 + h] for m1 in range(n1)], FORWARD)
        mixed = [value * _factors(memory, k1, h, n) if k1 else value for k1, value in enumerate(mixed)]
        for g in by_group:
            by_group[g] += transposed(mixed[g : g + LANES])
    for g, group in by_group.items():
        for k2, value in enumerate(points(group, FORWARD)):
            store(g + n1 * k2, value)


def row_inverse(memory: Memory, n: int, load: Load) -> dict[int, Lanes]:
    """The inverse transform of load(first frequency): values by their first column."""
    n1, n2 = FACTORS[n]
    groups = [points([load(g + n1 * k2) for k2 in range(n2)], INVERSE) for g in range(0, n1, LANES)]
    values = {}
    for h in range(0, n2, LANES):
        mixed = [value for group in groups for value in transposed(group[h : h + LANES])]
        mixed = [_factors(memory, k1, h, n).conjugate_times(v) if k1 else v for k1, v in enumerate(mixed)]
        values.update({m1 * n2 + h: value for m1, value in enumerate(points(mixed, INVERSE))})
    return values


def _factors(memory: Memory, k1: int, h: int, n: int) -> Lanes:
    return memory.lanes([cmath.exp(-2j * math.pi * k1 * (h + i) / n) for i in range(LANES)])


def transposed(rows: list[Lanes]) -> list[Lanes]:
    """LANES vectors of LANES numbers, rows made columns."""
    build = rows[0].build
    parts = (_transposed(build, [getattr(row, part) for row in rows]) for part in ("re", "im"))
    return [Lanes(build, re, im) for re, im in zip(*parts, strict=True)]


def _transposed(build: Any, rows: list[Any]) -> list[Any]:
    """Neighbours by ones, then twos, then fours: the shuffles that processors have."""
    ones = [_pair(build, rows[i], rows[i + 1], half) for i in range(0, 8, 2) for half in ((0, 1), (2, 3))]
    twos = [
        shuffle(build, ones[i], ones[i + 2], [lane + k for lane in (0, 4) for k in (*half, half[0] + 8, half[1] + 8)])
        for i in (0, 1, 4, 5)
        for half in ((0, 1), (2, 3))
    ]
    return [
        shuffle(build, twos[i], twos[i + 4], [*range(first, first + 4), *range(first + 8, first + 12)])
        for first in (0, 4)
        for i in range(4)
    ]


def _pair(build: Any, a: Any, b: Any, half: tuple[int, int]) -> Any:
    return shuffle(build, a, b, [lane + k for lane in (0, 4) for i in half for k in (i, i + 8)])


__all__ = ["Columns", "points", "row_forward", "row_inverse", "transposed"]
