"""Resilient propagation."""

from __future__ import annotations

from dataclasses import dataclass

from ptycupy.backends.interface import Array, Backend
from ptycupy.update.optimizers.interface import Moments, filled, zeros


@dataclass(frozen=True)
class Rprop:
    """Steps from the signs of gradients alone (Riedmiller and Braun 1993) as torch.optim.Rprop defines it.

    The learning rate is the size of the first step. Meant for whole passes in one batch: between random batches,
    signs change by chance.
    """

    etas: tuple[float, float] = (0.5, 1.2)
    step_sizes: tuple[float, float] = (1e-6, 50.0)

    def init(self, backend: Backend, parameter: Array) -> Moments:
        moments = zeros(backend, parameter, "previous")
        moments.arrays["steps"] = filled(backend, parameter, 0.0)
        return moments

    def update(self, backend: Backend, parameter: Array, grad: Array, moments: Moments, learning_rate: float) -> None:
        previous, steps = moments.arrays["previous"], moments.arrays["steps"]
        if moments.step == 0:
            backend.fill(steps, learning_rate)
        moments.step += 1
        backend.rprop(parameter, grad, previous, steps, *self.etas, *self.step_sizes)
