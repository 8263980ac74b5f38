"""Everything with a Fourier transform, each wave from its first to its last step in the cache of one core."""

from __future__ import annotations

import numpy as np
from numba import prange
from rocket_fft import c2c

from ptycupy.backends.cpu import propagate as one_propagate
from ptycupy.backends.cpu import shift as one_shift
from ptycupy.backends.cpu.jit import jit_parallel
from ptycupy.backends.interface import Array

AXES = np.array([0, 1])

_multiply, _multiply_conjugate, _accumulate = one_propagate.forward, one_propagate.backward, one_propagate.accumulate
_copy = one_propagate.copy
_ramp, _unramp = one_shift.forward, one_shift.backward


@jit_parallel
def transform(waves: Array, forward: bool, scale: float) -> None:
    """waves [k, y, x] = scale * (unnormalised Fourier sum), in place."""
    for k in prange(waves.shape[0]):
        c2c(waves[k], waves[k], AXES, forward, scale, 1)


@jit_parallel
def shift(waves: Array, spectrum: Array, ramp_y: Array, ramp_x: Array, scale: float) -> None:
    """waves [n p, y, x] = scale * inverse sum of spectrum [p, y, x] * ramp."""
    modes = spectrum.shape[0]
    for k in prange(waves.shape[0]):
        _ramp(waves[k], spectrum[k % modes], ramp_y[k // modes], ramp_x[k // modes], scale)
        c2c(waves[k], waves[k], AXES, False, 1.0, 1)


@jit_parallel
def shift_back(sums: Array, waves: Array, spectrum: Array, ramp_y: Array, ramp_x: Array) -> None:
    """waves [n p, y, x] = (forward sum of waves) * conj(ramp), and sums [n p, 2] as in `shift.backward`."""
    modes = spectrum.shape[0]
    for k in prange(waves.shape[0]):
        c2c(waves[k], waves[k], AXES, True, 1.0, 1)
        _unramp(sums[k], waves[k], spectrum[k % modes], ramp_y[k // modes], ramp_x[k // modes])


@jit_parallel
def propagate(waves: Array, spectra: Array, transfer: Array, scale: float, keep: bool) -> None:
    """waves [n, m, y, x] = scale * inverse sum of transfer [1 or n, y, x] * forward sum, which `spectra` keeps."""
    patterns, modes = waves.shape[:2]
    for k in prange(patterns * modes):
        i, m = k // modes, k % modes
        wave = waves[i, m]
        c2c(wave, wave, AXES, True, 1.0, 1)
        if keep:
            _copy(spectra[i, m], wave)
        _multiply(wave, transfer[i % transfer.shape[0]], scale)
        c2c(wave, wave, AXES, False, 1.0, 1)


@jit_parallel
def propagate_back(waves: Array, transfer: Array, scale: float) -> None:
    """waves [n, m, y, x] = scale * inverse sum of conj(transfer) [1 or n, y, x] * forward sum."""
    patterns, modes = waves.shape[:2]
    for k in prange(patterns * modes):
        i, m = k // modes, k % modes
        wave = waves[i, m]
        c2c(wave, wave, AXES, True, 1.0, 1)
        _multiply_conjugate(wave, transfer[i % transfer.shape[0]], scale)
        c2c(wave, wave, AXES, False, 1.0, 1)


@jit_parallel
def propagate_back_gradient(grad_transfer: Array, waves: Array, spectra: Array, transfer: Array, scale: float) -> None:
    """`propagate_back`, and grad_transfer [n, y, x] += scale * sum over m of conj(spectra) * forward sum."""
    patterns, modes = waves.shape[:2]
    for i in prange(patterns):
        for m in range(modes):
            wave = waves[i, m]
            c2c(wave, wave, AXES, True, 1.0, 1)
            _accumulate(grad_transfer[i], wave, spectra[i, m], scale)
            _multiply_conjugate(wave, transfer[i % transfer.shape[0]], scale)
            c2c(wave, wave, AXES, False, 1.0, 1)


__all__ = ["propagate", "propagate_back", "propagate_back_gradient", "shift", "shift_back", "transform"]
