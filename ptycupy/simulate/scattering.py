"""Electron scattering factors of neutral atoms, from the table `scattering_factors.csv`."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from ptycupy.errors import DataError

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ScatteringFactor:
    """f(q) = sum_i a_i / (q^2 + b_i) + sum_i c_i exp(-d_i q^2): three Lorentzians and three Gaussians.

    Source: E. J. Kirkland, Advanced Computing in Electron Microscopy, 2nd ed. (Springer, 2010), appendix C.
    """

    number: int
    symbol: str
    lorentzians: Floats  # [3, 2] a (1/angstrom), b (1/angstrom^2)
    gaussians: Floats  # [3, 2] c (angstrom), d (angstrom^2)

    def __call__(self, q2: Floats) -> Floats:
        """f in angstrom (rest mass) at squared spatial frequencies q2 = 1/d^2 in 1/angstrom^2, any shape."""
        total = np.zeros(np.shape(q2))
        for a, b in self.lorentzians:
            total += a / (q2 + b)
        for c, d in self.gaussians:
            total += c * np.exp(-d * q2)
        return total


@lru_cache(maxsize=1)
def table() -> dict[int, ScatteringFactor]:
    """All published elements, hydrogen to lawrencium, by atomic number."""
    text = files(__package__).joinpath("scattering_factors.csv").read_text(encoding="ascii")
    rows = csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
    found = {}
    for row in rows:
        number = int(row["Z"])
        lorentzians = np.array([[float(row[f"a{i}"]), float(row[f"b{i}"])] for i in (1, 2, 3)])
        gaussians = np.array([[float(row[f"c{i}"]), float(row[f"d{i}"])] for i in (1, 2, 3)])
        found[number] = ScatteringFactor(number, row["symbol"], lorentzians, gaussians)
    return found


@lru_cache(maxsize=1)
def _numbers() -> dict[str, int]:
    return {factor.symbol: number for number, factor in table().items()}


def atomic_number(element: str) -> int:
    """Atomic number of a symbol ("Se", any case) or a number written as text; raises DataError for anything else."""
    number = int(element) if element.isascii() and element.isdigit() else _numbers().get(element.capitalize())
    if number is None or number not in table():
        raise DataError(f"unknown element {element[:20]!r}: expected a symbol from H to Lr or a number from 1 to 103")
    return number
