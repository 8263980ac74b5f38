"""The protocol's optimizing in complex128 NumPy."""

from __future__ import annotations

import numpy as np

from ptycupy.backends.interface import Array
from reference.common import INTENSITY_FLOOR, windows
from reference.memory import Memory


def reals(array: Array) -> Array:
    """The same memory as one axis of reals."""
    return array.reshape(-1).view(array.real.dtype)


class Optimizing(Memory):
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
        x, g = reals(parameter), reals(grad) + decay * reals(parameter)
        if buffer is None:
            x -= rate * g
            return
        b = reals(buffer)
        b[...] = momentum * b + fresh * g
        x -= rate * (ahead * g + weight * b)

    def _moments(self, g: Array, first: Array, second: Array, beta1: float, beta2: float) -> tuple[Array, Array]:
        m, v = reals(first), reals(second)
        m[...] = beta1 * m + (1 - beta1) * g
        v[...] = beta2 * v + (1 - beta2) * g**2
        return m, v

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
        step_size, root_scale = learning_rate / (1 - beta1**step), (1 - beta2**step) ** -0.5
        if numbers is not None:
            step_size, root_scale, keep = numbers
        x = reals(parameter)
        m, v = self._moments(reals(grad) + decay * x, first, second, beta1, beta2)
        if largest is not None:
            v = reals(largest)
            v[...] = np.maximum(v, reals(second))
        x[...] = keep * x - step_size * m / (np.sqrt(v) * root_scale + eps)

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
        arrays = [reals(array) for array in (parameter, grad, first, second)]
        seen = arrays[1] != 0
        x, g, m, v = (array[seen] for array in arrays)
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        arrays[2][seen], arrays[3][seen] = m, v
        size = learning_rate * np.sqrt(1 - beta2**step) / (1 - beta1**step)
        arrays[0][seen] = x - size * m / (np.sqrt(v) + eps)

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
        x = reals(parameter)
        g = reals(grad) + decay * x
        m, v = self._moments(g, first, second, beta1, beta2)
        x[...] = keep * x - (grad_rate * g + first_rate * m) / (np.sqrt(v) * root_scale + eps)

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
        x = reals(parameter)
        m, v = self._moments(reals(grad) + decay * x, first, second, beta1, beta2)
        x[...] = keep * x - plain_rate * m - adaptive_rate * m / (np.sqrt(v) + eps)

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
        x, m, u = reals(parameter), reals(first), reals(largest)
        g = reals(grad) + decay * x
        m[...] = beta1 * m + (1 - beta1) * g
        u[...] = np.maximum(beta2 * u, np.abs(g) + eps)
        x -= step_size * m / u

    def adagrad(self, parameter: Array, grad: Array, sums: Array, rate: float, eps: float, decay: float) -> None:
        x, s = reals(parameter), reals(sums)
        g = reals(grad) + decay * x
        s += g**2
        x -= rate * g / (np.sqrt(s) + eps)

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
        x, s, u = reals(parameter), reals(squares), reals(updates)
        g = reals(grad) + decay * x
        s[...] = rho * s + (1 - rho) * g**2
        d = g * np.sqrt((u + eps) / (s + eps))
        u[...] = rho * u + (1 - rho) * d**2
        x -= rate * d

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
        x, s = reals(parameter), reals(squares)
        g = reals(grad) + decay * x
        s[...] = alpha * s + (1 - alpha) * g**2
        spread = s
        if mean is not None:
            m = reals(mean)
            m[...] = alpha * m + (1 - alpha) * g
            spread = s - m**2
        d = g / (np.sqrt(spread) + eps)
        if buffer is not None:
            b = reals(buffer)
            b[...] = momentum * b + d
            d = b
        x -= rate * d

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
        x, g, before, size = reals(parameter), reals(grad), reals(previous), reals(steps)
        agreement = np.sign(g * before)
        size[...] = np.clip(size * np.choose(agreement.astype(int) + 1, [shrink, 1, grow]), least, most)
        before[...] = np.where(agreement < 0, 0, g)
        x -= np.sign(before) * size

    def asgd(
        self, parameter: Array, grad: Array, average: Array, eta: float, keep: float, weight: float, decay: float
    ) -> None:
        x, mean = reals(parameter), reals(average)
        g = reals(grad) + decay * x
        x[...] = keep * x - eta * g
        mean += weight * (x - mean)

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
        x, g = reals(parameter), reals(grad).astype(np.float64)
        if columns is None:
            rows += (fresh * (g**2 - rows.reshape(-1))).reshape(rows.shape)
            variance = reals(rows)
        else:
            squares = (g**2).reshape(*rows.shape[:-1], columns.shape[-1])
            rows += fresh * (squares.mean(-1, keepdims=True) - rows)
            columns += fresh * (squares.mean(-2, keepdims=True) - columns)
            variance = (rows * columns / np.maximum(rows.mean(-2, keepdims=True), eps1)).reshape(-1)
        update = g / np.sqrt(np.maximum(variance, eps1**2))
        size, roughness = (np.sqrt(np.mean(array**2)) for array in (x, update))
        x[...] = keep * x - rate * max(eps2, size) / max(1, roughness / d) * update

    def dot(self, a: Array, b: Array) -> Array:
        return (reals(a) * reals(b)).sum(dtype=np.float64).reshape(1)

    def combine(self, target: Array, source: Array, keep: float, factor: float) -> None:
        target[...] = keep * target + factor * source

    def magnitudes(self, values: Array) -> Array:
        sizes = np.abs(reals(values)).astype(np.float64)
        return np.array([sizes.max(), sizes.sum()])

    def lsqml_residual(self, intensity: Array, measured: Array) -> Array:
        ratio = np.maximum(measured, 0) / np.maximum(intensity, INTENSITY_FLOOR)
        return np.where(measured < 0, 0, 1 - np.sqrt(ratio))

    def lsqml_window_power(
        self,
        power: Array,
        amplitude: Array,
        occupancy: Array,
        doses: Array | None,
        corners: Array,
        indices: Array,
    ) -> None:
        factors = np.ones(len(indices)) if doses is None else doses[:, 0]
        for n, rows, columns in windows(corners, indices, power.shape):
            power += factors[n] * np.einsum("o,oyx->yx", occupancy, amplitude[:, 0, rows, columns] ** 2)

    def lsqml_direction(self, direction: Array, power: Array, delta: float) -> None:
        direction /= -2 * (power + delta * power.max())

    def lsqml_products(self, waves: Array, u: Array, v: Array, grad: Array, occupancy: Array) -> Array:
        chi = -grad[:, None, None] * waves
        pairs = ((u, u), (v, v), (u, v), (chi, u), (chi, v))
        return np.stack([np.einsum("nopyx,nopyx,o->n", a.conj(), b, occupancy).real for a, b in pairs], 1)

    def lsqml_steps(self, products: Array) -> Array:
        found = [
            np.linalg.lstsq(np.array([[p[0], p[2]], [p[2], p[1]]]), np.array([p[3], p[4]]), rcond=None)[0]
            for p in products
        ]
        return np.mean(found, axis=0)

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
        turned = amplitude + np.multiply.outer(
            (amplitude_factor, phase_factor), steps[0] * direction * np.exp(-1j * phase.astype(np.float64))
        )
        if new_amplitude is not None:
            new_amplitude[...] = np.abs(turned[0])
        if new_phase is not None:
            new_phase[...] = phase + np.angle(turned[1])

    def lsqml_probe(self, probe: Array, direction: Array, steps: Array, factor: float) -> None:
        probe += factor * steps[1] * direction
