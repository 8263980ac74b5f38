"""Orthonormal 2-D cosine transform around one complex FFT (Makhoul, IEEE Trans. ASSP 28 (1980) 27)."""

from __future__ import annotations

import math

from numba import prange

from ptycupy.backends.cpu.jit import jit, jit_parallel
from ptycupy.backends.interface import Array


@jit
def _reordered(i: int, n: int) -> int:
    """Sample at place i: even ones first, odd ones backwards."""
    return 2 * i if i < (n + 1) // 2 else 2 * (n - i) - 1


@jit
def _quarter_turn(k: int, n: int) -> complex:
    angle = -0.5 * math.pi * k / n
    return complex(math.cos(angle), math.sin(angle))


@jit
def _norm(k: int, n: int) -> float:
    return math.sqrt((1 if k == 0 else 2) / n)


@jit_parallel
def pack(waves: Array, values: Array) -> None:
    """waves [rows, Y, X] = values reordered along both axes."""
    rows, height, width = values.shape
    for line in prange(rows * height):
        row, y = line // height, line % height
        source = _reordered(y, height)
        for x in range(width):
            waves[row, y, x] = values[row, source, _reordered(x, width)]


@jit_parallel
def forward(coefficients: Array, spectra: Array) -> None:
    """coefficients [rows, Y, X] = norm Re(u_k (v_l spectra[k, l] + conj(v_l) spectra[k, -l]) / 2)."""
    rows, height, width = spectra.shape
    for line in prange(rows * height):
        row, k = line // height, line % height
        turn = _quarter_turn(k, height) * (0.5 * _norm(k, height))
        for x in range(width):
            v = _quarter_turn(x, width)
            total = v * spectra[row, k, x] + v.conjugate() * spectra[row, k, (width - x) % width]
            coefficients[row, k, x] = _norm(x, width) * (turn * total).real


@jit_parallel
def backward(spectra: Array, coefficients: Array) -> None:
    """spectra = conj(u_k v_l) (c[k, l] - c[Y-k, X-l] - i (c[Y-k, l] + c[k, X-l])), c = coefficients / norm."""
    rows, height, width = spectra.shape
    for line in prange(rows * height):
        row, k = line // height, line % height
        turn = _quarter_turn(k, height).conjugate()
        far_k = (height - k) % height
        own_y, far_y = 1 / _norm(k, height), (0.0 if k == 0 else 1 / _norm(far_k, height))
        for x in range(width):
            far_x = (width - x) % width
            own, far = 1 / _norm(x, width), (0.0 if x == 0 else 1 / _norm(far_x, width))
            real = own_y * own * coefficients[row, k, x] - far_y * far * coefficients[row, far_k, far_x]
            imaginary = far_y * own * coefficients[row, far_k, x] + own_y * far * coefficients[row, k, far_x]
            spectra[row, k, x] = turn * _quarter_turn(x, width).conjugate() * complex(real, -imaginary)


@jit_parallel
def unpack(values: Array, waves: Array) -> None:
    """values [rows, Y, X] = Re(waves) in their own order again."""
    rows, height, width = values.shape
    for line in prange(rows * height):
        row, y = line // height, line % height
        target = _reordered(y, height)
        for x in range(width):
            values[row, target, _reordered(x, width)] = waves[row, y, x].real


__all__ = ["backward", "forward", "pack", "unpack"]
