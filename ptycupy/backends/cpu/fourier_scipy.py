"""The functions of `fourier_rocket` by scipy.fft, for where rocket-fft is missing or does not work.

All but the multislice chain, whose transforms lie inside compiled loops, where scipy cannot be called.
"""

from __future__ import annotations

from numba import get_num_threads, prange
from scipy import fft

from ptycupy.backends.cpu import propagate as one_propagate
from ptycupy.backends.cpu import shift as one_shift
from ptycupy.backends.cpu.jit import jit_parallel
from ptycupy.backends.interface import Array

_multiply, _multiply_conjugate, _accumulate = one_propagate.forward, one_propagate.backward, one_propagate.accumulate
_ramp, _unramp = one_shift.forward, one_shift.backward


@jit_parallel
def _ramp_all(waves: Array, spectrum: Array, ramp_y: Array, ramp_x: Array, scale: float) -> None:
    modes = spectrum.shape[0]
    for k in prange(waves.shape[0]):
        _ramp(waves[k], spectrum[k % modes], ramp_y[k // modes], ramp_x[k // modes], scale)


@jit_parallel
def _unramp_all(sums: Array, waves: Array, spectrum: Array, ramp_y: Array, ramp_x: Array) -> None:
    modes = spectrum.shape[0]
    for k in prange(waves.shape[0]):
        _unramp(sums[k], waves[k], spectrum[k % modes], ramp_y[k // modes], ramp_x[k // modes])


@jit_parallel
def _multiply_all(waves: Array, transfer: Array, scale: float, conjugate: bool) -> None:
    modes = waves.shape[1]
    for k in prange(waves.shape[0] * modes):
        i, m = k // modes, k % modes
        if conjugate:
            _multiply_conjugate(waves[i, m], transfer[i % transfer.shape[0]], scale)
        else:
            _multiply(waves[i, m], transfer[i % transfer.shape[0]], scale)


@jit_parallel
def _accumulate_all(grad_transfer: Array, waves: Array, spectra: Array, scale: float) -> None:
    for i in prange(waves.shape[0]):
        for m in range(waves.shape[1]):
            _accumulate(grad_transfer[i], waves[i, m], spectra[i, m], scale)


def transform(waves: Array, forward: bool, scale: float) -> None:
    """waves [..., y, x] = scale * (unnormalised Fourier sum), in place."""
    function, norm = (fft.fft2, "backward") if forward else (fft.ifft2, "forward")
    result = function(waves, axes=(-2, -1), norm=norm, overwrite_x=True, workers=get_num_threads())
    if result is not waves or scale != 1:
        result *= waves.real.dtype.type(scale)
        waves[...] = result


def shift(waves: Array, spectrum: Array, ramp_y: Array, ramp_x: Array, scale: float) -> None:
    """waves [n p, y, x] = scale * inverse sum of spectrum [p, y, x] * ramp."""
    _ramp_all(waves, spectrum, ramp_y, ramp_x, scale)
    transform(waves, False, 1.0)


def shift_back(sums: Array, waves: Array, spectrum: Array, ramp_y: Array, ramp_x: Array) -> None:
    """waves [n p, y, x] = (forward sum of waves) * conj(ramp), and sums [n p, 2] as in `shift.backward`."""
    transform(waves, True, 1.0)
    _unramp_all(sums, waves, spectrum, ramp_y, ramp_x)


def propagate(waves: Array, spectra: Array, transfer: Array, scale: float, keep: bool) -> None:
    """waves [n, m, y, x] = scale * inverse sum of transfer [1 or n, y, x] * forward sum, which `spectra` keeps."""
    transform(waves, True, 1.0)
    if keep:
        spectra[...] = waves
    _multiply_all(waves, transfer, scale, False)
    transform(waves, False, 1.0)


def propagate_back(waves: Array, transfer: Array, scale: float) -> None:
    """waves [n, m, y, x] = scale * inverse sum of conj(transfer) [1 or n, y, x] * forward sum."""
    transform(waves, True, 1.0)
    _multiply_all(waves, transfer, scale, True)
    transform(waves, False, 1.0)


def propagate_back_gradient(grad_transfer: Array, waves: Array, spectra: Array, transfer: Array, scale: float) -> None:
    """`propagate_back`, and grad_transfer [n, y, x] += scale * sum over m of conj(spectra) * forward sum."""
    transform(waves, True, 1.0)
    _accumulate_all(grad_transfer, waves, spectra, scale)
    _multiply_all(waves, transfer, scale, True)
    transform(waves, False, 1.0)


__all__ = ["propagate", "propagate_back", "propagate_back_gradient", "shift", "shift_back", "transform"]
