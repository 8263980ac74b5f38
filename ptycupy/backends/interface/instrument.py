"""What the instrument adds: drifts, distortions and aberrations that a State may or may not have."""

from __future__ import annotations

from typing import Protocol

from ptycupy.backends.interface.array import Array


class Instrument(Protocol):
    """Ops of the optional parameters, each beside its adjoint."""

    def scan_affine_forward(self, shifts: Array, nominal: Array, indices: Array, affine: Array) -> Array:
        """[n, 2] = shifts [n, 2] + nominal[indices] (A - 1) as row vectors (y, x); nominal [N, 2], affine [4].

        A = (1 + affine_0) diag(1 + affine_1 / 2, 1 - affine_1 / 2) rotation(affine_2) shear(affine_3), in degrees.
        """
        ...

    def scan_affine_backward(
        self, grad: Array, nominal: Array, indices: Array, affine: Array, grad_affine: Array
    ) -> None:
        """Accumulates sum_i grad_i . nominal_i dA/d(affine) into grad_affine [4]."""
        ...

    def aberrate_forward(self, coefficients: Array, basis: Array) -> Array:
        """plate [1, 1, y, x] = exp(-i sum_k coefficients_k basis_k); basis [K, y, x] real."""
        ...

    def aberrate_backward(self, grad: Array, plate: Array, basis: Array, grad_coefficients: Array) -> None:
        """Accumulates sum basis_k Im(conj(grad) plate) into grad_coefficients [K]."""
        ...

    def vary_forward(self, waves: Array, weights: Array) -> Array:
        """[n, 1, p, y, x] from waves [n, 1, p + v, y, x]: mode 0 + sum_v weights[i, v] waves[i, 0, p + v], others as
        they are; weights [n, v]."""
        ...

    def vary_backward(self, grad: Array, waves: Array, weights: Array, grad_weights: Array | None) -> Array:
        """grad_waves [n, 1, p + v, y, x]; accumulates sum Re(conj(grad_0) waves_(p + v)) into grad_weights [n, v]."""
        ...

    def normalise_variations(self, probe: Array, variations: Array, weights: Array, power: float) -> None:
        """Another (probe, variations, weights) with the same probe[0] + weights variations at every position, in place.

        Re sum conj(V_a) V_b = power delta_ab by a Cholesky factor of the variations' Gram matrix, sum_i weights_i = 0.
        """
        ...

    def descan_forward(self, waves: Array, descan: Array, period: tuple[float, float]) -> Array:
        """New waves [n, o, p, y, x] times exp(2 pi i sum over axes of descan [n, 2] (y - y_count // 2) / period)."""
        ...

    def descan_backward(
        self, grad: Array, waves: Array, descan: Array, period: tuple[float, float], grad_descan: Array | None
    ) -> Array:
        """grad_waves, overwriting grad; accumulates into grad_descan [n, 2]. `waves` are those before the ramp."""
        ...

    def dose_forward(self, intensity: Array, factors: Array) -> Array:
        """New [n, ky, kx] = factors [n, 1] intensity."""
        ...

    def dose_backward(self, grad: Array, intensity: Array, factors: Array, grad_factors: Array | None) -> Array:
        """grad_intensity; accumulates sum_k grad intensity into grad_factors [n, 1]."""
        ...

    def background_forward(self, intensity: Array, background: Array) -> Array:
        """intensity [n, ky, kx] + background [ky, kx], overwriting intensity."""
        ...

    def background_backward(self, grad: Array, grad_background: Array) -> None:
        """Accumulates the sum over patterns of grad [n, ky, kx] into grad_background [ky, kx]."""
        ...
