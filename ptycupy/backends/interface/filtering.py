"""Filters of real fields and of waves."""

from __future__ import annotations

from typing import Protocol

from ptycupy.backends.interface.array import Array


class Filtering(Protocol):
    """Steps between transforms; `far_field_forward` and `far_field_backward` are the unitary pair for any stack."""

    def pack(self, values: Array) -> Array:
        """Complex waves of real values, of the same shape."""
        ...

    def unpack(self, target: Array, waves: Array) -> None:
        """target = Re(waves)."""
        ...

    def spectral_filter(self, waves: Array, mask: Array) -> None:
        """waves [..., *mask.shape] *= mask, real, in place."""
        ...

    def spectral_wedge(self, spectra: Array, depth: Array, alpha: float, beta: float) -> None:
        """spectra [o, z, Y, X] *= (1 - 2/pi atan((beta k_z)^2 / (k^2 + 1e-3))) exp(-alpha k^2), in place.

        depth [z] = |k_z| in cycles per slice, k^2 = k_y^2 + k_x^2 in cycles per px, zero frequency in the corner.
        """
        ...

    def cosine_forward(self, values: Array) -> Array:
        """Orthonormal 2-D cosine transform (DCT-II) of real values [..., Y, X]."""
        ...

    def cosine_backward(self, coefficients: Array) -> Array:
        """Its inverse (DCT-III)."""
        ...

    def suppress(self, values: Array, least: Array) -> None:
        """values = 0 where |values| < least[0], in place."""
        ...

    def denoise(self, values: Array, lateral: float, depth: float, iterations: int) -> None:
        """values [o, z, Y, X] = argmin_u 1/2 sum (u - values)^2 + sum |D u|, in place, after so many dual steps.

        D = (lateral d_y, lateral d_x, depth d_z), forward differences that end at the edges; at least one weight is
        positive. Projected gradients of the dual with step 1 / (8 lateral^2 + 4 depth^2) (Chambolle, J. Math. Imaging
        Vis. 20 (2004) 89; Beck and Teboulle, IEEE Trans. Image Process. 18 (2009) 2419).
        """
        ...

    def depth_shift(self, amplitude: Array, phase: Array, taps: Array) -> None:
        """amplitude exp(i phase) [o, z, Y, X] convolved periodically along z with complex taps [z], in place.

        Phases come out beyond pi where they were: of the values that differ by 2 pi, the one nearest to the phase
        convolved with Re(taps).
        """
        ...
