"""Steps of the optimizers."""

from __future__ import annotations

from typing import Protocol

from ptycupy.backends.interface.array import Array


class Optimizing(Protocol):
    """Elementwise steps in place."""

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
    ) -> None:
        """One torch.optim.Adam step in place, step counted from 1; complex arrays per real and imaginary part."""
        ...
