"""What constraints measure before they act; all sums are float64 in a fixed order."""

from __future__ import annotations

from typing import Protocol

from ptycupy.backends.interface.array import Array


class Measuring(Protocol):
    """Sums, moments and ranks."""

    def wave_moments(self, waves: Array) -> Array:
        """[rows, 4] of waves [rows, y, x]: sums of I, y I, x I and I^2 for I = |waves|^2."""
        ...

    def plane_moments(self, values: Array, corner: tuple[int, int], shape: tuple[int, int]) -> Array:
        """[rows, 3] of real values [rows, Y, X] in a box: sums of v, (y - y0) v and (x - x0) v, (y0, x0) its middle."""
        ...

    def ratio_sums(self, amplitude: Array, phase: Array) -> Array:
        """[2]: sums of |ln amplitude| (of at least 1e-8) and of |phase|."""
        ...

    def ranked(self, values: Array, rank: int, magnitudes: bool) -> Array:
        """[the value, or magnitude, that is `rank`-th largest], real; rank from 1. Exact."""
        ...
