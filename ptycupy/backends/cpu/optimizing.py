"""Optimizer steps on the CPU backend."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ptycupy.backends.bias import corrected
from ptycupy.backends.cpu import adadelta as adadelta_op
from ptycupy.backends.cpu import adafactor as adafactor_op
from ptycupy.backends.cpu import adagrad as adagrad_op
from ptycupy.backends.cpu import adam as adam_op
from ptycupy.backends.cpu import adamax as adamax_op
from ptycupy.backends.cpu import asgd as asgd_op
from ptycupy.backends.cpu import combine as combine_op
from ptycupy.backends.cpu import dot as dot_op
from ptycupy.backends.cpu import lsqml as lsqml_op
from ptycupy.backends.cpu import magnitudes as magnitudes_op
from ptycupy.backends.cpu import nadam as nadam_op
from ptycupy.backends.cpu import radam as radam_op
from ptycupy.backends.cpu import rmsprop as rmsprop_op
from ptycupy.backends.cpu import rprop as rprop_op
from ptycupy.backends.cpu import sgd as sgd_op
from ptycupy.backends.cpu import sparse_adam as sparse_adam_op
from ptycupy.backends.cpu.memory import Memory, blocks, flat
from ptycupy.backends.interface import Array


class Optimizing(Memory):
    """Optimizer steps, in place."""

    def _flat(self, array: Array | None) -> Array:
        """The real numbers of an array as one axis; none for None."""
        return np.empty(0, self.real) if array is None else flat(array).view(self.real)

    def _run(self, kernel: Any, arrays: tuple[Array | None, ...], scalars: tuple[float, ...]) -> None:
        kernel(*map(self._flat, arrays), *map(self.real.type, scalars))

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
        self._run(sgd_op.sgd, (parameter, buffer, grad), (rate, momentum, fresh, ahead, weight, decay))

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
        step_size, root_scale = corrected(learning_rate, step, beta1, beta2)
        if numbers is not None:
            step_size, root_scale, keep = numbers
        scalars = (1 - beta1, 1 - beta2, step_size, root_scale, eps, decay, keep)
        self._run(adam_op.adam, (parameter, first, second, largest, grad), scalars)

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
        self._run(sparse_adam_op.sparse_adam, arrays, (1 - beta1, 1 - beta2, step_size, eps))

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
        self._run(nadam_op.nadam, (parameter, first, second, grad), scalars)

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
        self._run(radam_op.radam, (parameter, first, second, grad), scalars)

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
        self._run(adamax_op.adamax, (parameter, first, largest, grad), (step_size, 1 - beta1, beta2, eps, decay))

    def adagrad(self, parameter: Array, grad: Array, sums: Array, rate: float, eps: float, decay: float) -> None:
        self._run(adagrad_op.adagrad, (parameter, sums, grad), (rate, eps, decay))

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
        self._run(adadelta_op.adadelta, (parameter, squares, updates, grad), (rate, rho, 1 - rho, eps, decay))

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
        self._run(rmsprop_op.rmsprop, arrays, (rate, alpha, 1 - alpha, eps, momentum, decay))

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
        self._run(rprop_op.rprop, (parameter, previous, steps, grad), (shrink, grow, least, most))

    def asgd(
        self, parameter: Array, grad: Array, average: Array, eta: float, keep: float, weight: float, decay: float
    ) -> None:
        self._run(asgd_op.asgd, (parameter, average, grad), (eta, keep, weight, decay))

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
        values, grad = self._flat(parameter), self._flat(grad)
        update = np.empty_like(grad)
        if columns is None:
            adafactor_op.dense(update, grad, flat(rows), self.real.type(fresh), eps1)
        else:
            height, width = rows.shape[-2], columns.shape[-1]
            grads, updates = (a.reshape(-1, height, width) for a in (grad, update))
            by_row, by_column = rows.reshape(-1, height), columns.reshape(-1, width)
            adafactor_op.row_means(by_row, grads, self.real.type(fresh))
            adafactor_op.column_means(by_column, grads, self.real.type(fresh))
            adafactor_op.factored(updates, grads, by_row, by_column, by_row.mean(1, dtype=np.float64), eps1)
        size = math.sqrt(float(self.dot(values, values)[0]) / values.size)
        roughness = math.sqrt(float(self.dot(update, update)[0]) / values.size)
        self.combine(values, update, keep, -rate * max(eps2, size) / max(1.0, roughness / d))

    def dot(self, a: Array, b: Array) -> Array:
        sums = np.empty(blocks(self._flat(a).size))
        dot_op.dot(sums, self._flat(a), self._flat(b))
        return sums.sum().reshape(1)

    def combine(self, target: Array, source: Array, keep: float, factor: float) -> None:
        self._run(combine_op.combine, (target, source), (keep, factor))

    def magnitudes(self, values: Array) -> Array:
        partials = np.empty((blocks(self._flat(values).size), 2))
        magnitudes_op.magnitudes(partials, self._flat(values))
        return np.array([partials[:, 0].max(initial=0), partials[:, 1].sum()])

    def lsqml_residual(self, intensity: Array, measured: Array) -> Array:
        grad = self.empty(intensity.shape, self.real)
        lsqml_op.residual(flat(grad), flat(intensity), flat(measured))
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
        factors = np.ones(indices.size, self.real) if doses is None else flat(doses)
        lsqml_op.window_power(power, amplitude, occupancy, factors, corners, indices)

    def lsqml_direction(self, direction: Array, power: Array, delta: float) -> None:
        weights = power + self.real.type(delta) * power.max()
        factors = np.divide(-0.5, weights, out=np.zeros_like(weights), where=weights > 0)
        direction *= factors.astype(self.real)

    def lsqml_products(self, waves: Array, u: Array, v: Array, grad: Array, occupancy: Array) -> Array:
        products = np.empty((len(waves), 5))
        lsqml_op.products(products, waves, u, v, grad, occupancy)
        return products

    def lsqml_steps(self, products: Array) -> Array:
        return lsqml_op.steps(products)

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
        targets = self._flat(new_amplitude), self._flat(new_phase)
        moves = (self.real.type(factor * float(steps[0])) for factor in (amplitude_factor, phase_factor))
        lsqml_op.move_object(*targets, flat(amplitude), flat(phase), flat(direction), *moves)

    def lsqml_probe(self, probe: Array, direction: Array, steps: Array, factor: float) -> None:
        self.combine(probe, direction, 1.0, factor * float(steps[1]))


__all__ = ["Optimizing"]
