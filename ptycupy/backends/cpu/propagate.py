"""waves = ifft2(transfer fft2(waves)): what happens to one wave between its two transforms."""

from __future__ import annotations

from ptycupy.backends.cpu.jit import jit
from ptycupy.backends.interface import Array


@jit
def forward(wave: Array, transfer: Array, scale: float) -> None:
    """wave *= scale * transfer; [y, x]."""
    height, width = wave.shape
    for y in range(height):
        for x in range(width):
            wave[y, x] *= transfer[y, x] * scale


@jit
def backward(wave: Array, transfer: Array, scale: float) -> None:
    """wave *= scale * conj(transfer); [y, x]."""
    height, width = wave.shape
    for y in range(height):
        for x in range(width):
            wave[y, x] *= transfer[y, x].conjugate() * scale


@jit
def copy(target: Array, wave: Array) -> None:
    height, width = wave.shape
    for y in range(height):
        for x in range(width):
            target[y, x] = wave[y, x]


@jit
def accumulate(grad_transfer: Array, wave: Array, spectrum: Array, scale: float) -> None:
    """grad_transfer += scale * conj(spectrum) * wave; [y, x]."""
    height, width = wave.shape
    for y in range(height):
        for x in range(width):
            grad_transfer[y, x] += (spectrum[y, x].conjugate() * wave[y, x]) * scale


__all__ = ["accumulate", "backward", "copy", "forward"]
