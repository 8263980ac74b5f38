"""Steps of the constraints."""

from __future__ import annotations

from typing import Protocol

from ptycupy.backends.interface.array import Array


class Constraining(Protocol):
    """Projections in place, and what they need to know."""

    def clamp(self, values: Array, low: float, high: float, relax: float) -> None:
        """x = relax x + (1 - relax) min(max(x, low), high), in place; infinities allowed."""
        ...

    def relax(self, values: Array, before: Array, relax: float) -> None:
        """x = relax before + (1 - relax) x, in place; real or complex."""
        ...

    def scale(self, values: Array, factor: float) -> None:
        """values *= factor, real or complex, in place."""
        ...

    def subtract_ramp(
        self, values: Array, offset: float, slope: tuple[float, float], centre: tuple[float, float]
    ) -> None:
        """values [rows, Y, X] -= offset + slope . ((y, x) - centre), in place."""
        ...

    def modulate(self, waves: Array, slope: tuple[float, float], centre: tuple[float, float]) -> None:
        """waves [rows, y, x] *= exp(i slope . ((y, x) - centre)), slope in rad/px, in place."""
        ...

    def apply_ratio(
        self,
        new_amplitude: Array | None,
        new_phase: Array | None,
        amplitude: Array,
        phase: Array,
        sums: Array,
        alpha1: float,
        alpha2: float,
    ) -> None:
        """new_amplitude = exp((1 - alpha1) ln a - alpha1 C phi) and
        new_phase = (1 - alpha2) phi - alpha2 ln a / (C + 1e-8) where they are wanted; they may be the old ones.

        C = sums[0] / (sums[1] + 1e-8) of `ratio_sums`."""
        ...

    def mirror(self, amplitude: Array, phase: Array, scale: float, power: float, relax: float) -> None:
        """amplitude = relax amplitude + (1 - relax) (1 - scale max(phase, 0)^power), in place."""
        ...

    def total_power(self, waves: Array) -> Array:
        """[sum |waves|^2] float64, in a fixed order."""
        ...

    def rescale_power(self, waves: Array, power: Array, target: float) -> None:
        """waves *= sqrt(target / power[0]), in place."""
        ...

    def orthogonalise(self, probe: Array) -> None:
        """Replaces the modes [p, y, x] by orthogonal ones of the same mixed state, strongest first, in place.

        Gram matrix in double precision, Hermitian Jacobi eigenvectors V, probe' = V^H probe (Thibault 2013)."""
        ...

    def recentre(self, shifts: Array, relax: float) -> None:
        """shifts [N, 2] -= (1 - relax) mean(shifts), in place."""
        ...

    def reanchor(self, shifts: Array, corners: Array) -> Array:
        """corners += rint(shifts), shifts -= rint(shifts), in place (half to even).

        Returns int32 [min y, min x, max y, max x] of the new corners."""
        ...

    def count_nonfinite(self, values: Array) -> Array:
        """[number of values that are NaN or infinite], int32."""
        ...
