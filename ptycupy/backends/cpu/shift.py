"""waves = ifft2(fft2(probe) ramp): the probe shifted by fractions of a pixel, pattern by pattern."""

from __future__ import annotations

import math

from numba import prange

from ptycupy.backends.cpu.jit import jit, jit_parallel
from ptycupy.backends.cpu.scalar import BLOCK, block_count, sincos
from ptycupy.backends.interface import Array


@jit
def frequency(index: int, count: int) -> float:
    """Cycles per pixel of an index with zero in the corner; -0.5 at the Nyquist row of an even count."""
    return (index if index < (count + 1) // 2 else index - count) / count


@jit
def ramps(ramp_y: Array, ramp_x: Array, shifts: Array) -> None:
    """ramp_y [n, y] and ramp_x [n, x] = exp(-2 pi i shift f)."""
    for ramp, axis in ((ramp_y, 0), (ramp_x, 1)):
        patterns, count = ramp.shape
        for i in range(patterns):
            for k in range(count):
                sine, cosine = sincos(-2 * math.pi * frequency(k, count) * shifts[i, axis])
                ramp[i, k] = complex(cosine, sine)


@jit
def forward(wave: Array, spectrum: Array, ramp_y: Array, ramp_x: Array, scale: float) -> None:
    """wave = scale * spectrum * ramp for one mode [y, x]."""
    height, width = wave.shape
    for y in range(height):
        row = ramp_y[y] * scale
        for x in range(width):
            wave[y, x] = spectrum[y, x] * (row * ramp_x[x])


@jit
def backward(sums: Array, wave: Array, spectrum: Array, ramp_y: Array, ramp_x: Array) -> None:
    """wave *= conj(ramp); sums [2] = sum of (f_y, f_x) Im(conj(wave) spectrum); for one mode [y, x]."""
    height, width = wave.shape
    along_y, along_x = 0.0, 0.0
    for y in range(height):
        row = ramp_y[y].conjugate()
        row_y, row_x = 0.0, 0.0
        for x in range(width):
            value = wave[y, x] * (row * ramp_x[x].conjugate())
            wave[y, x] = value
            pull = float(value.real * spectrum[y, x].imag - value.imag * spectrum[y, x].real)
            row_y += pull
            row_x += pull * frequency(x, width)
        along_y += row_y * frequency(y, height)
        along_x += row_x
    sums[0] = along_y
    sums[1] = along_x


@jit
def _add(total: Array, part: Array) -> None:
    for k in range(total.size):
        total[k] += part[k]


@jit_parallel
def sum_patterns(total: Array, parts: Array) -> None:
    """total [k] += sum over n of parts [n, k], in batch order."""
    for block in prange(block_count(total.size)):
        start, stop = block * BLOCK, min((block + 1) * BLOCK, total.size)
        stretch = total[start:stop]
        for i in range(parts.shape[0]):
            _add(stretch, parts[i, start:stop])


__all__ = ["backward", "forward", "frequency", "ramps", "sum_patterns"]
