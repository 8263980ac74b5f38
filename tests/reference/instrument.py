"""The protocol's instrument in complex128 NumPy."""

from __future__ import annotations

import numpy as np

from ptycupy.backends.interface import Array
from reference.memory import Memory


def affine(parameters: Array) -> Array:
    change, asymmetry, rotation, shear = np.asarray(parameters, np.float64)
    angle = np.deg2rad(rotation)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    tangent = np.tan(np.deg2rad(shear))
    return (1 + change) * np.diag([1 + asymmetry / 2, 1 - asymmetry / 2]) @ turn @ [[1, 0], [tangent, 1]]


class Instrument(Memory):
    def scan_affine_forward(self, shifts: Array, nominal: Array, indices: Array, parameters: Array) -> Array:
        return shifts + nominal[indices].astype(np.float64) @ (affine(parameters) - np.eye(2))

    def scan_affine_backward(
        self, grad: Array, nominal: Array, indices: Array, parameters: Array, grad_affine: Array
    ) -> None:
        """The slopes of the matrix by five-point differences."""
        sums = nominal[indices].astype(np.float64).T @ grad
        for p in range(4):
            step = np.zeros(4)
            step[p] = 1e-2 if p > 1 else 1e-3
            values = [affine(parameters + times * step) for times in (-2, -1, 1, 2)]
            slope = (values[0] - 8 * values[1] + 8 * values[2] - values[3]) / (12 * step[p])
            grad_affine[p] += (sums * slope).sum()

    def aberrate_forward(self, coefficients: Array, basis: Array) -> Array:
        return np.exp(-1j * np.einsum("k,kyx->yx", coefficients.astype(np.float64), basis))[None, None]

    def aberrate_backward(self, grad: Array, plate: Array, basis: Array, grad_coefficients: Array) -> None:
        grad_coefficients += np.einsum("kyx,yx->k", basis, (grad.conj() * plate).imag[0, 0])

    def vary_forward(self, waves: Array, weights: Array) -> Array:
        modes = waves.shape[2] - weights.shape[1]
        varied = waves[:, :, :modes].astype(np.complex128)
        varied[:, 0, 0] += np.einsum("nv,nvyx->nyx", weights, waves[:, 0, modes:])
        return varied

    def vary_backward(self, grad: Array, waves: Array, weights: Array, grad_weights: Array | None) -> Array:
        modes = grad.shape[2]
        if grad_weights is not None:
            grad_weights += np.einsum("nyx,nvyx->nv", grad[:, 0, 0].conj(), waves[:, 0, modes:]).real
        varied = weights[:, None, :, None, None] * grad[:, :, :1]
        return np.concatenate([grad, varied], axis=2)

    def normalise_variations(self, probe: Array, variations: Array, weights: Array, power: float) -> None:
        waves = variations.reshape(len(variations), -1)
        lower = np.linalg.cholesky((waves @ waves.conj().T).real / power)
        means = weights.mean(0)
        probe[0] += np.einsum("v,vyx->yx", means, variations)
        variations[...] = np.linalg.solve(lower, waves).reshape(variations.shape)
        weights[...] = (weights - means) @ lower

    def _descan_ramp(self, descan: Array, shape: tuple[int, int], period: tuple[float, float]) -> Array:
        y, x = (np.arange(n) - n // 2 for n in shape)
        cycles = descan[:, 0, None, None] * y[:, None] / period[0] + descan[:, 1, None, None] * x / period[1]
        return np.exp(2j * np.pi * cycles)[:, None, None]

    def descan_forward(self, waves: Array, descan: Array, period: tuple[float, float]) -> Array:
        return waves * self._descan_ramp(descan, waves.shape[-2:], period)

    def descan_backward(
        self, grad: Array, waves: Array, descan: Array, period: tuple[float, float], grad_descan: Array | None
    ) -> Array:
        ramp = self._descan_ramp(descan, waves.shape[-2:], period)
        if grad_descan is not None:
            pull = ((waves * ramp).conj() * grad).imag.sum((1, 2))
            y, x = (np.arange(n) - n // 2 for n in waves.shape[-2:])
            grad_descan[:, 0] += 2 * np.pi / period[0] * (pull * y[:, None]).sum((1, 2))
            grad_descan[:, 1] += 2 * np.pi / period[1] * (pull * x).sum((1, 2))
        return grad * ramp.conj()

    def dose_forward(self, intensity: Array, factors: Array) -> Array:
        return intensity * factors[:, :, None]

    def dose_backward(self, grad: Array, intensity: Array, factors: Array, grad_factors: Array | None) -> Array:
        if grad_factors is not None:
            grad_factors += (grad * intensity).sum((1, 2))[:, None]
        return grad * factors[:, :, None]

    def background_forward(self, intensity: Array, background: Array) -> Array:
        return intensity + background

    def background_backward(self, grad: Array, grad_background: Array) -> None:
        grad_background += grad.sum(0)
