"""The numbers that the cases run on: drawn once per name, the same for every backend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.backends.interface import Array, Backend

Outputs = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Scene:
    """Sizes; `draw` gives the same numbers to every backend, all of them exact in float32."""

    n: int = 3
    p: int = 2
    o: int = 2
    z: int = 3
    window: tuple[int, int] = (5, 7)
    canvas: tuple[int, int] = (13, 11)
    tilts: bool = True  # one per pattern
    gaps: int = 2

    @property
    def t(self) -> int:
        return self.n if self.tilts else 1

    @property
    def total(self) -> int:
        """Positions in all; a batch takes some of them."""
        return self.n + 2

    def draw(self, b: Backend, name: str, *shape: int, low: float = -1.0, high: float = 1.0) -> Array:
        return b.asarray(self.random(name).uniform(low, high, shape).astype(np.float32).astype(b.real))

    def draw_complex(self, b: Backend, name: str, *shape: int) -> Array:
        rng = self.random(name)
        values = (rng.normal(size=shape) + 1j * rng.normal(size=shape)).astype(np.complex64)
        return b.asarray(values.astype(b.complex))

    def corners(self, b: Backend) -> Array:
        room = np.subtract(self.canvas, self.window) + 1
        return b.asarray(self.random("corners").integers(0, room, (self.total, 2)).astype(np.int32))

    def indices(self, b: Backend) -> Array:
        return b.asarray(self.random("indices").permutation(self.total)[: self.n].astype(np.int32))

    def measured(self, b: Backend) -> Array:
        values = self.random("measured").poisson(1.0, (self.n, *self.window)).astype(np.float32)
        values[self.random("uncounted").random(values.shape) < 0.2] = -1
        values.flat[0] = 1  # at least one that counts
        return b.asarray(values.astype(b.real))

    def intensity(self, b: Backend) -> Array:
        return self.draw(b, "intensity", self.n, *self.window, low=1e-3, high=3)

    def occupancy(self, b: Backend) -> Array:
        return self.draw(b, "occupancy", self.o, low=0.2, high=1)

    def random(self, name: str) -> np.random.Generator:
        return np.random.default_rng([self.n, *self.window, *name.encode()])
