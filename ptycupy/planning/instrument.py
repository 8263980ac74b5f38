"""What the ops of the optional parameters cost; see `backends.interface.instrument`."""

from __future__ import annotations

from ptycupy.backends.interface import Array
from ptycupy.planning.memory import Memory, op
from ptycupy.planning.waves import ACCUMULATE, MULTIPLY


class Instrument(Memory):
    """What the instrument adds."""

    @op
    def scan_affine_forward(self, shifts: Array, nominal: Array, indices: Array, affine: Array) -> Array:
        moved = self.empty(shifts.shape, self.real)
        self._traffic((shifts, shifts, indices), (moved,), 4 * shifts.size)
        return moved

    @op
    def scan_affine_backward(
        self, grad: Array, nominal: Array, indices: Array, affine: Array, grad_affine: Array
    ) -> None:
        self._traffic((grad, grad, indices), (grad_affine,), 4 * grad.size, launches=3)

    @op
    def aberrate_forward(self, coefficients: Array, basis: Array) -> Array:
        plate = self.empty((1, 1, *basis.shape[1:]), self.complex)
        self._traffic((basis,), (plate,), 2 * basis.size, 1, plate.size)
        return plate

    @op
    def aberrate_backward(self, grad: Array, plate: Array, basis: Array, grad_coefficients: Array) -> None:
        self._traffic((grad, plate, basis), (grad_coefficients,), 2 * basis.size + 4 * grad.size, launches=2)

    @op
    def vary_forward(self, waves: Array, weights: Array) -> Array:
        patterns, _, modes, *window = waves.shape
        varied = self.empty((patterns, 1, modes - weights.shape[1], *window), self.complex)
        self._traffic((waves, weights), (varied,), 4 * waves.size)
        return varied

    @op
    def vary_backward(self, grad: Array, waves: Array, weights: Array, grad_weights: Array | None) -> Array:
        grad_waves = self.empty(waves.shape, self.complex)
        self._traffic((grad, weights), (grad_waves,), 2 * waves.size)
        if grad_weights is not None:
            self._traffic((grad, waves), (grad_weights,), 4 * waves.size, launches=2)
        return grad_waves

    @op
    def normalise_variations(self, probe: Array, variations: Array, weights: Array, power: float) -> None:
        arrays, count = (probe[0], variations, weights), variations.shape[0]
        self._traffic((*arrays, variations, weights), arrays, 4 * count * variations.size, launches=7)

    @op
    def descan_forward(self, waves: Array, descan: Array, period: tuple[float, float]) -> Array:
        ramped = self.empty(waves.shape, self.complex)
        self._traffic((waves, descan), (ramped,), 2 * MULTIPLY * waves.size)
        return ramped

    @op
    def descan_backward(
        self, grad: Array, waves: Array, descan: Array, period: tuple[float, float], grad_descan: Array | None
    ) -> Array:
        self._traffic((grad, descan), (grad,), 2 * MULTIPLY * grad.size)
        if grad_descan is not None:
            self._traffic((grad, waves), (grad_descan,), ACCUMULATE * grad.size, launches=2)
        return grad

    @op
    def dose_forward(self, intensity: Array, factors: Array) -> Array:
        scaled = self.empty(intensity.shape, self.real)
        self._traffic((intensity, factors), (scaled,), intensity.size)
        return scaled

    @op
    def dose_backward(self, grad: Array, intensity: Array, factors: Array, grad_factors: Array | None) -> Array:
        scaled = self.empty(grad.shape, self.real)
        self._traffic((grad, factors), (scaled,), grad.size)
        if grad_factors is not None:
            self._traffic((grad, intensity), (grad_factors,), 2 * grad.size, launches=2)
        return scaled

    @op
    def background_forward(self, intensity: Array, background: Array) -> Array:
        self._traffic((intensity, background), (intensity,), intensity.size)
        return intensity

    @op
    def background_backward(self, grad: Array, grad_background: Array) -> None:
        self._traffic((grad, grad_background), (grad_background,), grad.size)


__all__ = ["Instrument"]
