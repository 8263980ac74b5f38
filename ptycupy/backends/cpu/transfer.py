"""transfer = aperture exp(i dz (base + ky tan(tilt_y) + kx tan(tilt_x)))."""

from __future__ import annotations

from numba import prange

from ptycupy.backends.cpu.jit import jit_parallel
from ptycupy.backends.cpu.scalar import sincos
from ptycupy.backends.interface import Array


@jit_parallel
def forward(
    transfer: Array, tangents: Array, thickness: Array, base: Array, aperture: Array, ky: Array, kx: Array
) -> None:
    """transfer [g, t, y, x]; tangents [t, 2] and thickness [g] in double precision."""
    gaps, tilts, height, width = transfer.shape
    for item in prange(gaps * tilts * height):
        g, t, y = item // (tilts * height), item // height % tilts, item % height
        for x in range(width):
            slope = base[y, x] + ky[y] * tangents[t, 0] + kx[x] * tangents[t, 1]
            sine, cosine = sincos(thickness[g] * slope)
            transfer[g, t, y, x] = complex(aperture[y, x] * cosine, aperture[y, x] * sine)


@jit_parallel
def backward(sums: Array, grad: Array, transfer: Array, tangents: Array, base: Array, ky: Array, kx: Array) -> None:
    """sums [g, t, y, 3]: per row the sums over x of pull * (slope, ky, kx), pull = -Im(conj(grad) transfer)."""
    gaps, tilts, height, width = transfer.shape
    for item in prange(gaps * tilts * height):
        g, t, y = item // (tilts * height), item // height % tilts, item % height
        along_slope, along_y, along_x = 0.0, 0.0, 0.0
        for x in range(width):
            a, b = grad[g, t, y, x], transfer[g, t, y, x]
            pull = float(a.imag * b.real - a.real * b.imag)
            along_slope += pull * (base[y, x] + ky[y] * tangents[t, 0] + kx[x] * tangents[t, 1])
            along_y += pull * ky[y]
            along_x += pull * kx[x]
        sums[g, t, y, 0] = along_slope
        sums[g, t, y, 1] = along_y
        sums[g, t, y, 2] = along_x


__all__ = ["backward", "forward"]
