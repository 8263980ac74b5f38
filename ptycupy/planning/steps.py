"""What the steps of optimizers and constraints cost; see `backends.interface` for what they do."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ptycupy.backends.interface import Array
from ptycupy.planning.ledger import ROOT
from ptycupy.planning.memory import Memory, op
from ptycupy.planning.shaped import Shaped


def in_place(name: str, written: Sequence[int], flops: int, elementary: float = 0.0) -> Any:
    """A step over arrays of one length: all are read, those whose places are in `written` are written too; `flops`
    and elementary functions for each real number of the longest."""

    def step(self: Memory, *arguments: Any, **keywords: Any) -> None:
        given = [*arguments, *keywords.values()]
        arrays = [argument for argument in given if isinstance(argument, Shaped)]
        targets = [given[place] for place in written if place < len(given) and isinstance(given[place], Shaped)]
        longest = max(map(self._reals, arrays))
        self._traffic(arrays, targets, flops * longest, 1, elementary * longest)

    step.__name__ = name
    return op(step)


class Optimizing(Memory):
    sgd = in_place("sgd", (0, 2), 6)
    adam = in_place("adam", (0, 2, 3, 9), 12 + ROOT)
    sparse_adam = in_place("sparse_adam", (0, 2, 3), 12 + ROOT)
    nadam = in_place("nadam", (0, 2, 3), 14 + ROOT)
    radam = in_place("radam", (0, 2, 3), 14 + ROOT)
    adamax = in_place("adamax", (0, 2, 3), 12)
    adagrad = in_place("adagrad", (0, 2), 8 + ROOT)
    adadelta = in_place("adadelta", (0, 2, 3), 12 + 2 * ROOT)
    rmsprop = in_place("rmsprop", (0, 2, 3, 4), 12 + ROOT)
    rprop = in_place("rprop", (0, 2, 3), 8)
    asgd = in_place("asgd", (0, 2), 6)
    combine = in_place("combine", (0,), 3)
    lsqml_direction = in_place("lsqml_direction", (0,), 4)
    lsqml_probe = in_place("lsqml_probe", (0,), 2)

    @op
    def adafactor(self, parameter: Array, grad: Array, rows: Array, columns: Array | None, *scalars: float) -> None:
        update = self.empty((self._reals(parameter),), self.real)
        flops = (3 * ROOT + 8) * self._reals(parameter)
        reads = (parameter, grad, grad, grad, rows, columns, update, parameter, update)
        self._traffic(reads, (parameter, update, rows, columns), flops, launches=7)

    @op
    def dot(self, a: Array, b: Array) -> Array:
        return self._sums((1,), (a, b), 2 * self._reals(a))

    @op
    def magnitudes(self, values: Array) -> Array:
        return self._sums((2,), (values,), 2 * self._reals(values))

    @op
    def lsqml_residual(self, intensity: Array, measured: Array) -> Array:
        grad = self.empty(intensity.shape, self.real)
        self._traffic((intensity, measured), (grad,), (ROOT + 2) * grad.size)
        return grad

    @op
    def lsqml_window_power(
        self,
        power: Array,
        amplitude: Array,
        occupancy: Array,
        doses: Array | None,
        corners: Array,
        indices: Array,
    ) -> None:
        windows = indices.size * amplitude.shape[0] * power.size
        self._traffic((windows * self.real.itemsize, power), (power,), 3 * windows)

    @op
    def lsqml_products(self, waves: Array, u: Array, v: Array, grad: Array, occupancy: Array) -> Array:
        return self._sums((waves.shape[0], 5), (waves, u, v, grad), 24 * waves.size)

    @op
    def lsqml_steps(self, products: Array) -> Array:
        return self._sums((2,), (products,), products.size)

    @op
    def lsqml_object(
        self,
        new_amplitude: Array | None,
        new_phase: Array | None,
        amplitude: Array,
        phase: Array,
        direction: Array,
        steps: Array,
        amplitude_factor: float,
        phase_factor: float,
    ) -> None:
        wanted = (new_amplitude, new_phase)
        self._traffic((amplitude, phase, direction), wanted, 8 * phase.size, 1, 3 * phase.size)

    def _sums(self, shape: tuple[int, ...], arrays: Sequence[Array], flops: float, elementary: float = 0.0) -> Array:
        """float64 sums over everything; they outlive the arena."""
        self._traffic(arrays, (8 * math.prod(shape),), flops, 2, elementary)
        return self.alloc(shape, np.float64)


class Constraining(Optimizing):
    clamp = in_place("clamp", (0,), 4)
    relax = in_place("relax", (0,), 3)
    scale = in_place("scale", (0,), 1)
    subtract_ramp = in_place("subtract_ramp", (0,), 5)
    modulate = in_place("modulate", (0,), 3, 0.5)
    mirror = in_place("mirror", (0,), 4, 1)
    rescale_power = in_place("rescale_power", (0,), 1)
    recentre = in_place("recentre", (0,), 2)
    spectral_filter = in_place("spectral_filter", (0,), 1)
    spectral_wedge = in_place("spectral_wedge", (0,), 4, 1)
    suppress = in_place("suppress", (0,), 1)
    unpack = in_place("unpack", (0,), 1)

    @op
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
        self._traffic((amplitude, phase), (new_amplitude, new_phase), 6 * phase.size, 1, 2 * phase.size)

    @op
    def total_power(self, waves: Array) -> Array:
        return self._sums((1,), (waves,), 2 * self._reals(waves))

    @op
    def orthogonalise(self, probe: Array) -> None:
        modes = probe.shape[0]
        rotated = self.empty(probe.shape, self.complex)
        self._traffic((probe, probe), (rotated, probe), 16 * modes * probe.size, launches=4)

    @op
    def reanchor(self, shifts: Array, corners: Array) -> Array:
        self._traffic((shifts, corners), (shifts, corners), shifts.size)
        limits = self.alloc((4,), np.int32)
        if corners.values is not None:
            limits.values = np.concatenate([corners.values.min(0), corners.values.max(0)])
        return limits

    @op
    def count_nonfinite(self, values: Array) -> Array:
        self._traffic((values,), (4,), self._reals(values), launches=2)
        return self.alloc((1,), np.int32)

    # --- measuring ----------------------------------------------------------------------------------------------
    @op
    def wave_moments(self, waves: Array) -> Array:
        return self._sums((waves.shape[0], 4), (waves,), 8 * waves.size)

    @op
    def plane_moments(self, values: Array, corner: tuple[int, int], shape: tuple[int, int]) -> Array:
        box = values.shape[0] * math.prod(shape) * self.real.itemsize
        self._traffic((box,), (), 5 * box / self.real.itemsize, launches=2)
        return self.alloc((values.shape[0], 3), np.float64)

    @op
    def ratio_sums(self, amplitude: Array, phase: Array) -> Array:
        return self._sums((2,), (amplitude, phase), 2 * phase.size, phase.size)

    @op
    def ranked(self, values: Array, rank: int, magnitudes: bool) -> Array:
        self._traffic(self.real.itemsize * [values], (), 4 * values.size, launches=3 * self.real.itemsize)
        return self.alloc((1,), self.real)

    # --- filtering ----------------------------------------------------------------------------------------------
    @op
    def pack(self, values: Array) -> Array:
        waves = self.empty(values.shape, self.complex)
        self._traffic((values,), (waves,))
        return waves

    @op
    def cosine_forward(self, values: Array) -> Array:
        waves, coefficients = self.empty(values.shape, self.complex), self.empty(values.shape, self.real)
        self._traffic((values,), (waves,))
        self._transform(waves)
        self._traffic((waves,), (coefficients,), 12 * values.size)
        return coefficients

    @op
    def cosine_backward(self, coefficients: Array) -> Array:
        waves, values = self.empty(coefficients.shape, self.complex), self.empty(coefficients.shape, self.real)
        self._traffic((coefficients,), (waves,), 12 * values.size)
        self._transform(waves)
        self._traffic((waves,), (values,))
        return values

    @op
    def denoise(self, values: Array, lateral: float, depth: float, iterations: int) -> None:
        before, dual = self.empty(values.shape, self.real), self.empty((3, *values.shape), self.real)
        self._traffic((values,), (before, dual), launches=2)
        for _ in range(iterations):
            self._traffic((values, dual), (dual,), (ROOT + 12) * values.size)
            self._traffic((before, dual), (values,), 8 * values.size)

    @op
    def depth_shift(self, amplitude: Array, phase: Array, taps: Array) -> None:
        transmission, before = self.empty(phase.shape, self.complex), self.empty(phase.shape, self.real)
        self._traffic((amplitude, phase, phase), (transmission, before), elementary=phase.size)
        self._traffic((transmission, before), (amplitude, phase), 8 * phase.shape[1] * phase.size, 1, 3 * phase.size)


__all__ = ["Constraining", "Optimizing"]
