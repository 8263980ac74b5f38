"""A first probe mode that is a different mixture of a few waves at every position."""

from __future__ import annotations

from numba import prange

from ptycupy.backends.cpu.jit import jit, jit_parallel
from ptycupy.backends.interface import Array


@jit
def _add_scaled(target: Array, wave: Array, weight: float) -> None:
    for k in range(target.size):
        target[k] += wave[k] * weight


@jit
def _scaled(target: Array, wave: Array, weight: float) -> None:
    for k in range(target.size):
        target[k] = wave[k] * weight


@jit
def _copy(target: Array, wave: Array) -> None:
    for k in range(target.size):
        target[k] = wave[k]


@jit
def _inner(first: Array, second: Array) -> float:
    """Re sum conj(first) second."""
    total = 0.0
    for k in range(first.size):
        total += float(first[k].real * second[k].real + first[k].imag * second[k].imag)
    return total


@jit_parallel
def forward(varied: Array, waves: Array, weights: Array) -> None:
    """varied [n, p, K] from waves [n, p + v, K] and weights [n, v]."""
    modes = varied.shape[1]
    for i in prange(waves.shape[0]):
        for m in range(modes):
            _copy(varied[i, m], waves[i, m])
        for v in range(weights.shape[1]):
            _add_scaled(varied[i, 0], waves[i, modes + v], weights[i, v])


@jit_parallel
def backward(grad_waves: Array, sums: Array, grad: Array, waves: Array, weights: Array) -> None:
    """grad_waves [n, p + v, K], and sums [n, v] = Re sum conj(grad_0) waves_(p + v)."""
    modes = grad.shape[1]
    for i in prange(waves.shape[0]):
        for m in range(modes):
            _copy(grad_waves[i, m], grad[i, m])
        for v in range(weights.shape[1]):
            _scaled(grad_waves[i, modes + v], grad[i, 0], weights[i, v])
            sums[i, v] = _inner(grad[i, 0], waves[i, modes + v])


__all__ = ["backward", "forward"]
