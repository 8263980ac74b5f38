"""The object's transmission convolved along depth, its phase not wrapped."""

from __future__ import annotations

import math

from numba import prange

from ptycupy.backends.cpu.jit import jit_parallel
from ptycupy.backends.interface import Array


@jit_parallel
def depth_shift(amplitude: Array, phase: Array, transmission: Array, before: Array, taps: Array) -> None:
    """Amplitude and phase of sum_m taps[(k - m) mod z] transmission[o, m]; all [o, z, K], taps [z].

    Of all phases that differ by whole turns, the one nearest to sum_m Re(taps) before[o, m].
    """
    modes, slices, pixels = phase.shape
    for item in prange(modes * slices):
        mode, k = item // slices, item % slices
        for i in range(pixels):
            total, expected = 0j, 0.0
            for m in range(slices):
                tap = taps[(k - m) % slices]
                total += tap * transmission[mode, m, i]
                expected += tap.real * before[mode, m, i]
            angle = math.atan2(total.imag, total.real)
            amplitude[mode, k, i] = abs(total)
            phase[mode, k, i] = angle + 2 * math.pi * math.floor((expected - angle) / (2 * math.pi) + 0.5)


__all__ = ["depth_shift"]
