"""Everything with a Fourier transform, each wave from its first to its last step in the cache of one core."""

from __future__ import annotations

import numpy as np
from numba import prange
from rocket_fft import c2c

from ptycupy.backends.cpu import multislice as one_multislice
from ptycupy.backends.cpu import propagate as one_propagate
from ptycupy.backends.cpu import shift as one_shift
from ptycupy.backends.cpu.jit import jit_parallel
from ptycupy.backends.interface import Array

AXES = np.array([0, 1])

_multiply, _multiply_conjugate, _accumulate = one_propagate.forward, one_propagate.backward, one_propagate.accumulate
_copy = one_propagate.copy
_transmit, _transmit_conjugate = one_multislice.transmit, one_multislice.transmit_conjugate
_put, _put_overlap = one_multislice.put, one_multislice.put_overlap
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


@jit_parallel
def multislice(
    exits: Array,
    entries: Array,
    waves: Array,
    transmission: Array,
    transfer: Array,
    corners: Array,
    indices: Array,
    scale: float,
) -> None:
    """exits [n, o, p, y, x] of all slices; entries [z - 1, n, o, p, y, x] are the waves that enter those behind the
    first, waves [n, o or 1, p, y, x] those that enter the first; transfer [1 or z - 1, 1 or n, y, x]."""
    _, states, modes, height, width = exits.shape
    slices = transmission.shape[1]
    for k in prange(exits.shape[0] * states * modes):
        i, o, p = k // (states * modes), k // modes % states, k % modes
        wave = exits[i, o, p]
        top, left = corners[indices[i], 0], corners[indices[i], 1]
        _copy(wave, waves[i, o % waves.shape[1], p])
        for s in range(slices):
            _transmit(wave, transmission[o, s, top : top + height, left : left + width])
            if s + 1 < slices:
                c2c(wave, wave, AXES, True, 1.0, 1)
                _multiply(wave, transfer[s % transfer.shape[0], i % transfer.shape[1]], scale)
                c2c(wave, wave, AXES, False, 1.0, 1)
                _copy(entries[s, i, o, p], wave)


@jit_parallel
def multislice_back(
    grad_waves: Array,
    overlaps: Array,
    grads: Array,
    entries: Array,
    waves: Array,
    transmission: Array,
    transfer: Array,
    corners: Array,
    indices: Array,
    scale: float,
    wants_waves: bool,
    wants_transmission: bool,
) -> None:
    """grad_waves [n, o or 1, p, y, x] from grads [n, o, p, y, x] of the exit waves, which are overwritten; overlaps
    [n, o, z, y, x] = sum over p of conj(entry) grad."""
    patterns, states, modes, height, width = grads.shape
    slices = transmission.shape[1]
    for i in prange(patterns):
        top, left = corners[indices[i], 0], corners[indices[i], 1]
        for o in range(states):
            source = o % waves.shape[1]
            for p in range(modes):
                grad = grads[i, o, p]
                for s in range(slices - 1, -1, -1):
                    if wants_transmission:
                        entry = waves[i, source, p] if s == 0 else entries[s - 1, i, o, p]
                        _put_overlap(overlaps[i, o, s], entry, grad, p == 0)
                    if s > 0 or wants_waves:
                        _transmit_conjugate(grad, transmission[o, s, top : top + height, left : left + width])
                    if s > 0:
                        c2c(grad, grad, AXES, True, 1.0, 1)
                        _multiply_conjugate(grad, transfer[(s - 1) % transfer.shape[0], i % transfer.shape[1]], scale)
                        c2c(grad, grad, AXES, False, 1.0, 1)
                if wants_waves:
                    _put(grad_waves[i, source, p], grad, o == source)


__all__ = [
    "multislice",
    "multislice_back",
    "propagate",
    "propagate_back",
    "propagate_back_gradient",
    "shift",
    "shift_back",
    "transform",
]
