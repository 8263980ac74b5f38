"""Steps of the optimizers, and the vector algebra of those that act on all parameters together."""

from __future__ import annotations

from typing import Protocol

from ptycupy.backends.interface.array import Array


class Optimizing(Protocol):
    """Elementwise steps in place, as torch.optim defines them; complex arrays per real and imaginary part.

    `decay` times the parameter is added to the gradient, `keep` multiplies the parameter before the step.
    """

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
        """buffer = momentum buffer + fresh g; x -= rate (ahead g + weight buffer). No buffer: x -= rate g."""
        ...

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
        """One step, counted from 1, of Adam, of AMSGrad with `largest`, of AdamW with `keep`.

        `numbers` [3] float64 are learning_rate / (1 - beta1^step), 1 / sqrt(1 - beta2^step) and keep, in place of what
        learning_rate, step and keep say: a recording reads them when it is launched.
        """
        ...

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
        """Adam's step where grad != 0; elsewhere neither moments nor parameter are touched."""
        ...

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
        """Moments as Adam's; x = keep x - (grad_rate g + first_rate first) / (sqrt(second) root_scale + eps)."""
        ...

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
        """Moments as Adam's; x = keep x - first (plain_rate + adaptive_rate / (sqrt(second) + eps))."""
        ...

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
        """first as Adam's; largest = max(beta2 largest, |g| + eps); x -= step_size first / largest."""
        ...

    def adagrad(self, parameter: Array, grad: Array, sums: Array, rate: float, eps: float, decay: float) -> None:
        """sums += g^2; x -= rate g / (sqrt(sums) + eps)."""
        ...

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
        """squares and updates are running means of g^2 and d^2; x -= rate d, d = g sqrt((updates + eps) / (squares +
        eps))."""
        ...

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
        """d = g / (sqrt(squares - mean^2) + eps), buffer = momentum buffer + d; x -= rate buffer."""
        ...

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
        """steps grow where g keeps its sign and shrink where it turns, within [least, most]; x -= sign(g) steps."""
        ...

    def asgd(
        self, parameter: Array, grad: Array, average: Array, eta: float, keep: float, weight: float, decay: float
    ) -> None:
        """x = keep x - eta g; average += weight (x - average)."""
        ...

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
        """One step with factored second moments: of a parameter of reals [..., r, c], rows [..., r, 1] and columns
        [..., 1, c]; without columns, `rows` has the parameter's shape and is not factored.

        rate multiplies max(eps2, rms(parameter)); the update is divided by max(1, rms(update) / d)."""
        ...

    def dot(self, a: Array, b: Array) -> Array:
        """[Re sum conj(a) b] float64, in a fixed order."""
        ...

    def combine(self, target: Array, source: Array, keep: float, factor: float) -> None:
        """target = keep target + factor source, in place; real or complex."""
        ...

    def magnitudes(self, values: Array) -> Array:
        """[max |x|, sum |x|] float64 over real and imaginary parts; a NaN shows in the sum."""
        ...

    def lsqml_residual(self, intensity: Array, measured: Array) -> Array:
        """dL/dI = 1 - sqrt(measured / intensity) of L = sum (sqrt(I) - sqrt(M))^2, 0 where measured is negative."""
        ...

    def lsqml_window_power(
        self,
        power: Array,
        amplitude: Array,
        occupancy: Array,
        doses: Array | None,
        corners: Array,
        indices: Array,
    ) -> None:
        """power [y, x] += sum over patterns and object modes of dose occupancy amplitude^2 of the first slice; doses
        [n, 1], or None for 1."""
        ...

    def lsqml_direction(self, direction: Array, power: Array, delta: float) -> None:
        """direction = -direction / (2 (power + delta max(power))), in place; power has the last axes of direction."""
        ...

    def lsqml_products(self, waves: Array, u: Array, v: Array, grad: Array, occupancy: Array) -> Array:
        """[n, 5] float64 (|u|^2, |v|^2, Re u* v, Re chi* u, Re chi* v), chi = -grad waves, weighted by occupancy[o];
        waves, u, v [n, o, p, y, x], grad [n, y, x]."""
        ...

    def lsqml_steps(self, products: Array) -> Array:
        """[2] float64: mean over patterns of the (a, b) that minimise |chi - a u - b v|^2."""
        ...

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
        """amplitude exp(i phase) + factor steps[0] direction, its amplitude and its phase, which does not wrap; each
        with a factor of its own."""
        ...

    def lsqml_probe(self, probe: Array, direction: Array, steps: Array, factor: float) -> None:
        """probe += factor steps[1] direction, in place."""
        ...
