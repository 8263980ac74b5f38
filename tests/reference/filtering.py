"""The protocol's filtering in complex128 NumPy."""

from __future__ import annotations

import numpy as np

from ptycupy.backends.interface import Array
from reference.memory import Memory


def cosines(n: int) -> Array:
    """The orthonormal DCT-II matrix [k, n]."""
    k, i = np.ogrid[:n, :n]
    return np.sqrt(np.where(k == 0, 1, 2) / n) * np.cos(np.pi * k * (2 * i + 1) / (2 * n))


def differences(n: int) -> Array:
    """Forward differences [n, n], 0 at the last sample."""
    return (np.eye(n, k=1) - np.eye(n)) * (np.arange(n) < n - 1)[:, None]


def along(matrix: Array, values: Array, axis: int) -> Array:
    return np.moveaxis(np.tensordot(matrix, values, (1, axis)), 0, axis)


class Filtering(Memory):
    def pack(self, values: Array) -> Array:
        return values + 0j

    def unpack(self, target: Array, waves: Array) -> None:
        target[...] = waves.real

    def spectral_filter(self, waves: Array, mask: Array) -> None:
        waves *= mask

    def spectral_wedge(self, spectra: Array, depth: Array, alpha: float, beta: float) -> None:
        y, x = (np.fft.fftfreq(n) for n in spectra.shape[-2:])
        squared = y[:, None] ** 2 + x**2
        angle = np.arctan((beta * depth[:, None, None]) ** 2 / (squared + 1e-3))
        spectra *= (1 - 2 / np.pi * angle) * np.exp(-alpha * squared)

    def cosine_forward(self, values: Array) -> Array:
        return cosines(values.shape[-2]) @ values @ cosines(values.shape[-1]).T

    def cosine_backward(self, coefficients: Array) -> Array:
        return cosines(coefficients.shape[-2]).T @ coefficients @ cosines(coefficients.shape[-1])

    def suppress(self, values: Array, least: Array) -> None:
        values[np.abs(values) < least[0]] = 0

    def denoise(self, values: Array, lateral: float, depth: float, iterations: int) -> None:
        weighted = [(lateral, 2), (lateral, 3), (depth, 1)]
        operators = [(weight * differences(values.shape[axis]), axis) for weight, axis in weighted]
        before, dual = values.copy(), np.zeros((3, *values.shape))
        step = 1 / (8 * lateral**2 + 4 * depth**2)
        for _ in range(iterations):
            dual += step * np.stack([along(matrix, values, axis) for matrix, axis in operators])
            dual /= np.maximum(1, np.sqrt((dual**2).sum(0)))
            values[...] = before - sum(along(m.T, p, axis) for (m, axis), p in zip(operators, dual, strict=True))

    def depth_shift(self, amplitude: Array, phase: Array, taps: Array) -> None:
        k, m = np.ogrid[: len(taps), : len(taps)]
        matrix = taps[(k - m) % len(taps)]
        shifted, expected = along(matrix, amplitude * np.exp(1j * phase), 1), along(matrix.real, phase, 1)
        amplitude[...] = np.abs(shifted)
        angle = np.angle(shifted)
        phase[...] = angle + 2 * np.pi * np.rint((expected - angle) / (2 * np.pi))
