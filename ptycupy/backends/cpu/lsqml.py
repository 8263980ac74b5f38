"""Pieces of the least-squares maximum-likelihood update (Odstrcil et al., Opt. Express 26, 3108, 2018)."""

from __future__ import annotations

import math

import numpy as np
from numba import prange

from ptycupy.backends.cpu.intensity import FLOOR
from ptycupy.backends.cpu.jit import jit_parallel
from ptycupy.backends.cpu.scalar import at_least
from ptycupy.backends.interface import Array


@jit_parallel
def residual(grad: Array, intensity: Array, measured: Array) -> None:
    """grad = 1 - sqrt(measured / intensity), 0 where measured is negative; flat."""
    for i in prange(grad.size):
        grad[i] = 0.0 if measured[i] < 0 else 1 - math.sqrt(measured[i] / at_least(intensity[i], FLOOR))


@jit_parallel
def window_power(
    power: Array, amplitude: Array, occupancy: Array, doses: Array, corners: Array, indices: Array
) -> None:
    """power [y, x] += sum over patterns and object modes of dose occupancy amplitude^2 of the first slice."""
    height, width = power.shape
    for y in prange(height):
        for n in range(indices.size):
            top, left = corners[indices[n], 0], corners[indices[n], 1]
            for o in range(occupancy.size):
                for x in range(width):
                    a = amplitude[o, 0, top + y, left + x]
                    power[y, x] += doses[n] * occupancy[o] * a * a


@jit_parallel
def products(out: Array, waves: Array, u: Array, v: Array, grad: Array, occupancy: Array) -> None:
    """out [n, 5] = occupancy-weighted (|u|^2, |v|^2, Re u* v, Re chi* u, Re chi* v), chi = -grad waves."""
    patterns, states, modes, height, width = waves.shape
    for n in prange(patterns):
        uu, vv, uv, cu, cv = 0.0, 0.0, 0.0, 0.0, 0.0
        for o in range(states):
            weight = float(occupancy[o])
            for p in range(modes):
                for y in range(height):
                    for x in range(width):
                        a, b, wave = u[n, o, p, y, x], v[n, o, p, y, x], waves[n, o, p, y, x]
                        lack = -float(grad[n, y, x]) * weight
                        uu += weight * (float(a.real) * float(a.real) + float(a.imag) * float(a.imag))
                        vv += weight * (float(b.real) * float(b.real) + float(b.imag) * float(b.imag))
                        uv += weight * (float(a.real) * float(b.real) + float(a.imag) * float(b.imag))
                        cu += lack * (float(wave.real) * float(a.real) + float(wave.imag) * float(a.imag))
                        cv += lack * (float(wave.real) * float(b.real) + float(wave.imag) * float(b.imag))
        out[n, 0], out[n, 1], out[n, 2], out[n, 3], out[n, 4] = uu, vv, uv, cu, cv


def steps(products: Array) -> Array:
    """[2] mean over patterns of the (a, b) that minimise |chi - a u - b v|^2."""
    uu, vv, uv, cu, cv = products.T
    det = uu * vv - uv * uv
    apart = det > 1e-9 * uu * vv
    safe = np.where(apart, det, 1.0)
    alone = (
        np.where(uu > 0, cu, 0.0) / np.where(uu > 0, uu, 1.0),
        np.where(uu > 0, 0.0, cv) / np.where(vv > 0, vv, 1.0),
    )
    first = np.where(apart, (cu * vv - cv * uv) / safe, alone[0])
    second = np.where(apart, (cv * uu - cu * uv) / safe, alone[1])
    return np.array([first.mean(), second.mean()])


@jit_parallel
def move_object(
    new_amplitude: Array,
    new_phase: Array,
    amplitude: Array,
    phase: Array,
    direction: Array,
    amplitude_step: float,
    phase_step: float,
) -> None:
    """amplitude exp(i phase) + step direction, its amplitude and its phase; an empty target is not written. Flat."""
    for i in prange(phase.size):
        a, phi = amplitude[i], phase[i]
        c, s = math.cos(phi), math.sin(phi)
        along = c * direction[i].real + s * direction[i].imag
        across = c * direction[i].imag - s * direction[i].real
        if new_amplitude.size > 0:
            x, y = a + amplitude_step * along, amplitude_step * across
            new_amplitude[i] = math.sqrt(x * x + y * y)
        if new_phase.size > 0:
            new_phase[i] = phi + math.atan2(phase_step * across, a + phase_step * along)


__all__ = ["move_object", "products", "residual", "steps", "window_power"]
