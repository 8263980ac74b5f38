"""Optimizer steps on the CUDA backend."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ptycupy.backends.bias import corrected
from ptycupy.backends.cuda.launch import Blocks, parts_of
from ptycupy.backends.cuda.memory import Memory
from ptycupy.backends.interface import Array


class Optimizing(Memory):
    """Optimizer steps, in place."""

    def _step(self, name: str, arrays: tuple[Array | None, ...], scalars: tuple[Any, ...]) -> None:
        """Launches an elementwise step over the real numbers of its arrays."""
        reals = [None if array is None else self._reals(array) for array in arrays]
        count = max(array.size for array in reals if array is not None)
        self._launch(name, count, *reals, *scalars, count)

    def sgd(
        self,
        parameter: Array,
        grad: Array,
        buffer: Array | None,
        rate: float,
        momentum: float,
        fresh: float,
        ahead: float,
        weight: float,
        decay: float,
    ) -> None:
        self._step("sgd", (parameter, buffer, grad), (rate, momentum, fresh, ahead, weight, decay))

    def adam(
        self,
        parameter: Array,
        grad: Array,
        first: Array,
        second: Array,
        learning_rate: float,
        step: int,
        beta1: float,
        beta2: float,
        eps: float,
        largest: Array | None = None,
        decay: float = 0.0,
        keep: float = 1.0,
        numbers: Array | None = None,
    ) -> None:
        steps = corrected(learning_rate, step, beta1, beta2)
        scalars = (numbers, *steps, beta1, 1 - beta1, beta2, 1 - beta2, eps, decay, keep)
        self._step("adam", (parameter, first, second, largest, grad), scalars)

    def sparse_adam(
        self,
        parameter: Array,
        grad: Array,
        first: Array,
        second: Array,
        learning_rate: float,
        step: int,
        beta1: float,
        beta2: float,
        eps: float,
    ) -> None:
        step_size = learning_rate * math.sqrt(1 - beta2**step) / (1 - beta1**step)
        arrays = (parameter, first, second, grad)
        self._step("sparse_adam", arrays, (step_size, 1 - beta1, 1 - beta2, eps))

    def nadam(
        self,
        parameter: Array,
        grad: Array,
        first: Array,
        second: Array,
        grad_rate: float,
        first_rate: float,
        root_scale: float,
        beta1: float,
        beta2: float,
        eps: float,
        decay: float,
        keep: float,
    ) -> None:
        scalars = (grad_rate, first_rate, root_scale, 1 - beta1, 1 - beta2, eps, decay, keep)
        self._step("nadam", (parameter, first, second, grad), scalars)

    def radam(
        self,
        parameter: Array,
        grad: Array,
        first: Array,
        second: Array,
        plain_rate: float,
        adaptive_rate: float,
        beta1: float,
        beta2: float,
        eps: float,
        decay: float,
        keep: float,
    ) -> None:
        scalars = (plain_rate, adaptive_rate, 1 - beta1, 1 - beta2, eps, decay, keep)
        self._step("radam", (parameter, first, second, grad), scalars)

    def adamax(
        self,
        parameter: Array,
        grad: Array,
        first: Array,
        largest: Array,
        step_size: float,
        beta1: float,
        beta2: float,
        eps: float,
        decay: float,
    ) -> None:
        self._step("adamax", (parameter, first, largest, grad), (step_size, 1 - beta1, beta2, eps, decay))

    def adagrad(self, parameter: Array, grad: Array, sums: Array, rate: float, eps: float, decay: float) -> None:
        self._step("adagrad", (parameter, sums, grad), (rate, eps, decay))

    def adadelta(
        self,
        parameter: Array,
        grad: Array,
        squares: Array,
        updates: Array,
        rate: float,
        rho: float,
        eps: float,
        decay: float,
    ) -> None:
        self._step("adadelta", (parameter, squares, updates, grad), (rate, rho, 1 - rho, eps, decay))

    def rmsprop(
        self,
        parameter: Array,
        grad: Array,
        squares: Array,
        mean: Array | None,
        buffer: Array | None,
        rate: float,
        alpha: float,
        eps: float,
        momentum: float,
        decay: float,
    ) -> None:
        arrays = (parameter, squares, mean, buffer, grad)
        self._step("rmsprop", arrays, (rate, alpha, 1 - alpha, eps, momentum, decay))

    def rprop(
        self,
        parameter: Array,
        grad: Array,
        previous: Array,
        steps: Array,
        shrink: float,
        grow: float,
        least: float,
        most: float,
    ) -> None:
        self._step("rprop", (parameter, previous, steps, grad), (shrink, grow, least, most))

    def asgd(
        self, parameter: Array, grad: Array, average: Array, eta: float, keep: float, weight: float, decay: float
    ) -> None:
        self._step("asgd", (parameter, average, grad), (eta, keep, weight, decay))

    def adafactor(
        self,
        parameter: Array,
        grad: Array,
        rows: Array,
        columns: Array | None,
        rate: float,
        fresh: float,
        eps1: float,
        eps2: float,
        d: float,
        keep: float,
    ) -> None:
        values, grad = self._reals(parameter), self._reals(grad)
        count, update = values.size, self.empty(grad.shape, self.real)
        if columns is None:
            self._launch("adafactor_variance", count, rows, grad, fresh, count)
            self._launch("adafactor_update_dense", count, update, grad, rows, eps1, count)
        else:
            height, width = rows.shape[-2], columns.shape[-1]
            matrices = count // (height * width)
            means = self.empty((matrices,), np.float64)
            self._launch("adafactor_rows", Blocks(matrices * height), rows, grad, fresh, width)
            self._launch("adafactor_columns", columns.size, columns, grad, fresh, height, width, columns.size)
            self._launch("adafactor_means", Blocks(matrices), means, rows, height)
            factors = (grad, rows, columns, means, eps1, height, width, count)
            self._launch("adafactor_update", count, update, *factors)
        powers = self.dot(values, values), self.dot(update, update)
        self._launch("adafactor", count, values, update, *powers, rate, eps2, d, keep, count)

    def dot(self, a: Array, b: Array) -> Array:
        a, b = self._reals(a), self._reals(b)
        return self._sums("dot", a.size, 1, a, b, a.size).reshape(1)

    def combine(self, target: Array, source: Array, keep: float, factor: float) -> None:
        self._step("combine", (target, source), (keep, factor))

    def magnitudes(self, values: Array) -> Array:
        values = self._reals(values)
        parts, result = parts_of(values.size), self._device.alloc((2,), np.float64)
        partials = self._partials("magnitudes", 1, values.size, 2, values, values.size)
        self._launch("magnitudes_total", Blocks(1), result, partials, parts)
        return result

    def lsqml_residual(self, intensity: Array, measured: Array) -> Array:
        grad = self.empty(intensity.shape, self.real)
        self._launch("lsqml_residual", grad.size, grad, intensity, measured, grad.size)
        return grad

    def lsqml_window_power(
        self,
        power: Array,
        amplitude: Array,
        occupancy: Array,
        doses: Array | None,
        corners: Array,
        indices: Array,
    ) -> None:
        modes, canvas_width = amplitude.shape[0], amplitude.shape[3]
        sizes = indices.size, modes, canvas_width, power.shape[1], amplitude.size // modes, power.size
        arrays = power, amplitude, occupancy, doses, corners, indices
        self._launch("lsqml_window_power", power.size, *arrays, *sizes)

    def lsqml_direction(self, direction: Array, power: Array, delta: float) -> None:
        largest = self.magnitudes(power)
        factors = delta, power.size, direction.size
        self._launch("lsqml_direction", direction.size, direction, power, largest, *factors)

    def lsqml_products(self, waves: Array, u: Array, v: Array, grad: Array, occupancy: Array) -> Array:
        n, o, p, y, x = waves.shape
        sizes = p * y * x, y * x, o * p * y * x
        return self._sums("lsqml_products", o * p * y * x, 5, waves, u, v, grad, occupancy, *sizes, rows=n)

    def lsqml_steps(self, products: Array) -> Array:
        steps = self._device.alloc((2,), np.float64)
        self._launch("lsqml_steps", Blocks(1), steps, products, products.shape[0])
        return steps

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
        arrays = new_amplitude, new_phase, amplitude, phase, direction, steps
        self._launch("lsqml_object", phase.size, *arrays, amplitude_factor, phase_factor, phase.size)

    def lsqml_probe(self, probe: Array, direction: Array, steps: Array, factor: float) -> None:
        self._launch("lsqml_probe", probe.size, probe, direction, steps, factor, probe.size)


__all__ = ["Optimizing"]
