"""transmission = amplitude exp(i phase)."""

from __future__ import annotations

from numba import prange

from ptycupy.backends.cpu.jit import jit_parallel
from ptycupy.backends.cpu.scalar import sincos
from ptycupy.backends.interface import Array


@jit_parallel
def forward(transmission: Array, amplitude: Array, phase: Array) -> None:
    """transmission[i] = amplitude[i] exp(i phase[i]); flat arrays."""
    for i in prange(phase.size):
        sine, cosine = sincos(phase[i])
        transmission[i] = complex(amplitude[i] * cosine, amplitude[i] * sine)


@jit_parallel
def backward(
    grad_amplitude: Array,
    grad_phase: Array,
    grad: Array,
    amplitude: Array,
    phase: Array,
    wants_amplitude: bool,
    wants_phase: bool,
) -> None:
    """grad_amplitude += Re(conj(grad) e), grad_phase += amplitude Im(grad conj(e)), e = exp(i phase); flat arrays."""
    for i in prange(phase.size):
        sine, cosine = sincos(phase[i])
        g = grad[i]
        if wants_amplitude:
            grad_amplitude[i] += g.real * cosine + g.imag * sine
        if wants_phase:
            grad_phase[i] += amplitude[i] * (g.imag * cosine - g.real * sine)


__all__ = ["backward", "forward"]
