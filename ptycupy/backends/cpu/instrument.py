"""The optional parameters' ops on the CPU backend."""

from __future__ import annotations

import math

import numpy as np

from ptycupy.backends.cpu import descan as descan_op
from ptycupy.backends.cpu import orthogonalise
from ptycupy.backends.cpu import vary as vary_op
from ptycupy.backends.cpu.memory import Memory
from ptycupy.backends.interface import Array


def _affine_parts(affine: Array) -> tuple[Array, Array, Array, float]:
    """diag(stretch), rotation and shear for row vectors, and the scale."""
    change, asymmetry, rotation, shear = (float(value) for value in affine)
    angle = math.radians(rotation)
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    return (
        np.diag([1 + asymmetry / 2, 1 - asymmetry / 2]),
        turn,
        np.array([[1.0, 0.0], [math.tan(math.radians(shear)), 1.0]]),
        1 + change,
    )


class Instrument(Memory):
    """What the instrument adds to the model."""

    def scan_affine_forward(self, shifts: Array, nominal: Array, indices: Array, affine: Array) -> Array:
        stretch, turn, shear, scale = _affine_parts(affine)
        change = scale * stretch @ turn @ shear - np.eye(2)
        return (shifts + nominal[indices].astype(np.float64) @ change).astype(self.real)

    def scan_affine_backward(
        self, grad: Array, nominal: Array, indices: Array, affine: Array, grad_affine: Array
    ) -> None:
        stretch, turn, shear, scale = _affine_parts(affine)
        sums = nominal[indices].astype(np.float64).T @ grad.astype(np.float64)  # [2, 2]
        quarter = np.array([[0.0, 1.0], [-1.0, 0.0]])  # d(turn) = turn quarter d(angle)
        slope = np.array([[0.0, 0.0], [1 + shear[1, 0] ** 2, 0.0]])
        changes = (
            stretch @ turn @ shear,
            scale * np.diag([0.5, -0.5]) @ turn @ shear,
            scale * math.radians(1) * stretch @ turn @ quarter @ shear,
            scale * math.radians(1) * stretch @ turn @ slope,
        )
        grad_affine += np.array([(sums * change).sum() for change in changes]).astype(self.real)

    def aberrate_forward(self, coefficients: Array, basis: Array) -> Array:
        angle = sum(float(c) * row.astype(np.float64) for c, row in zip(coefficients, basis, strict=True))
        plate: Array = np.exp(-1j * np.asarray(angle)).astype(self.complex)
        return plate[None, None]

    def aberrate_backward(self, grad: Array, plate: Array, basis: Array, grad_coefficients: Array) -> None:
        pull = (grad.conj() * plate).imag.astype(np.float64)[0, 0]
        grad_coefficients += np.array([(row * pull).sum() for row in basis]).astype(self.real)

    def vary_forward(self, waves: Array, weights: Array) -> Array:
        patterns, _, modes, height, width = waves.shape
        varied = self.empty((patterns, 1, modes - weights.shape[1], height, width), self.complex)
        vary_op.forward(varied.reshape(patterns, varied.shape[2], -1), waves.reshape(patterns, modes, -1), weights)
        return varied

    def vary_backward(self, grad: Array, waves: Array, weights: Array, grad_weights: Array | None) -> Array:
        patterns, _, modes, _, _ = waves.shape
        grad_waves, sums = self.empty(waves.shape, self.complex), np.empty(weights.shape)
        given, stack = grad.reshape(patterns, grad.shape[2], -1), waves.reshape(patterns, modes, -1)
        vary_op.backward(grad_waves.reshape(patterns, modes, -1), sums, given, stack, weights)
        if grad_weights is not None:
            grad_weights += sums.astype(self.real)
        return grad_waves

    def normalise_variations(self, probe: Array, variations: Array, weights: Array, power: float) -> None:
        count = len(variations)
        lower = orthogonalise.gram(variations.reshape(count, -1)).real / power
        for a in range(count):
            for b in range(a + 1):
                rest = lower[a, b] - sum(lower[a, c] * lower[b, c] for c in range(b))
                if b < a:
                    lower[a, b] = rest / lower[b, b]
                else:
                    lower[a, a] = math.sqrt(rest) if rest > 1e-12 else 1.0  # a variation of nothing stays as it is
        lower = np.tril(lower)
        means = weights.mean(0, dtype=np.float64)
        waves = variations.astype(np.complex128)
        probe[0] += sum(mean * wave for mean, wave in zip(means, waves, strict=True))
        for a, row in enumerate(np.linalg.inv(lower)):
            variations[a] = sum(share * wave for share, wave in zip(row[: a + 1], waves, strict=False))
        centred = weights - means
        for b in range(count):
            weights[:, b] = sum(centred[:, a] * lower[a, b] for a in range(b, count))

    def descan_forward(self, waves: Array, descan: Array, period: tuple[float, float]) -> Array:
        ramped, stack = self.empty(waves.shape, self.complex), (len(waves), -1, *waves.shape[-2:])
        descan_op.forward(ramped.reshape(stack), waves.reshape(stack), *self._descan_ramps(waves, descan, period))
        return ramped

    def descan_backward(
        self, grad: Array, waves: Array, descan: Array, period: tuple[float, float], grad_descan: Array | None
    ) -> Array:
        stack = (len(waves), -1, *waves.shape[-2:])
        sums = np.empty((len(waves), waves.shape[1] * waves.shape[2], 2))
        ramps = self._descan_ramps(waves, descan, period)
        descan_op.backward(sums, grad.reshape(stack), waves.reshape(stack), *ramps)
        if grad_descan is not None:
            grad_descan += (2 * math.pi / np.asarray(period) * sums.sum(1)).astype(self.real)
        return grad

    def _descan_ramps(self, waves: Array, descan: Array, period: tuple[float, float]) -> tuple[Array, Array]:
        ramp_y, ramp_x = (np.empty((len(waves), length), self.complex) for length in waves.shape[-2:])
        descan_op.ramps(ramp_y, ramp_x, descan, 1 / period[0], 1 / period[1])
        return ramp_y, ramp_x

    def dose_forward(self, intensity: Array, factors: Array) -> Array:
        return np.multiply(intensity, factors[:, :, None], out=self.empty(intensity.shape, self.real))

    def dose_backward(self, grad: Array, intensity: Array, factors: Array, grad_factors: Array | None) -> Array:
        if grad_factors is not None:
            grad_factors += np.einsum("nyx,nyx->n", grad, intensity, dtype=np.float64)[:, None].astype(self.real)
        return self.dose_forward(grad, factors)

    def background_forward(self, intensity: Array, background: Array) -> Array:
        intensity += background
        return intensity

    def background_backward(self, grad: Array, grad_background: Array) -> None:
        grad_background += grad.sum(0, dtype=np.float64).astype(self.real)


__all__ = ["Instrument"]
