"""Random inputs of one shape for every Backend method, in double precision; tests convert them to a device's types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from reference import ReferenceBackend

from ptycupy.backends.cpu import CpuBackend

REFERENCE = ReferenceBackend()

# Relative to the largest value: float32 eps 6e-8 times sums over some hundred values that partly cancel; float64 the
# same with eps 1e-16.
TOLERANCE = {"float32": 2e-5, "float64": 1e-12}

# patterns, object modes, probe modes, slices, window: even; odd and prime; nothing but ones; rectangular; one row
SHAPES = [
    (3, 1, 2, 3, (8, 8)),
    (2, 2, 3, 1, (7, 5)),
    (1, 1, 1, 1, (1, 1)),
    (4, 3, 1, 2, (13, 6)),
    (5, 1, 2, 1, (1, 9)),
]


@dataclass
class Scene:
    """Shapes as in the protocol; N is twice n, and windows touch all four edges of the canvas."""

    patterns: int
    states: int
    modes: int
    slices: int
    window: tuple[int, int]

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(7)
        self.canvas = (self.window[0] + 6, self.window[1] + 4)
        self.count = 2 * self.patterns
        corners = self.rng.integers(0, (7, 5), (self.count, 2))
        corners[0], corners[-1] = (0, 0), (6, 4)
        self.corners = corners.astype(np.int32)
        self.indices = self.rng.permutation(self.count)[: self.patterns].astype(np.int32)

    def real(self, *shape: int) -> Any:
        return self.rng.standard_normal(shape)

    def positive(self, *shape: int) -> Any:
        return self.rng.uniform(0.2, 1.5, shape)

    def complex(self, *shape: int) -> Any:
        return self.real(*shape) + 1j * self.real(*shape)

    def waves(self, states: int | None = None) -> Any:
        return self.complex(self.patterns, states or self.states, self.modes, *self.window)

    def volume(self) -> Any:
        return self.real(self.states, self.slices, *self.canvas)

    def measured(self) -> Any:
        """Counts with about a fifth of the values not counted."""
        values = self.positive(self.patterns, *self.window)
        return np.where(self.rng.random(values.shape) < 0.2, -1.0, values)

    def occupancy(self) -> Any:
        return self.positive(self.states)

    def tables(self) -> tuple[Any, Any, Any, Any]:
        """base, aperture, ky, kx of a transfer function."""
        height, width = self.window
        return self.real(height, width), self.positive(height, width), self.real(height), self.real(width)


def close(backend: CpuBackend, found: Any, expected: Any) -> None:
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.shape == expected.shape
    size = np.abs(expected).max(initial=1e-30)
    assert np.abs(found - expected).max(initial=0) <= TOLERANCE[backend.real.name] * size


def narrowed(backend: CpuBackend, value: Any) -> Any:
    """A fresh copy in the backend's precision; integers and plain numbers as they are."""
    if not isinstance(value, np.ndarray):
        return value
    kinds = {"f": backend.real, "c": backend.complex}
    return np.array(value, dtype=kinds.get(value.dtype.kind, value.dtype))


def twins(backend: CpuBackend, method: str, *inputs: Any, targets: tuple[int, ...] = ()) -> Any:
    """Compares one call, its result and the arrays at `targets` that it changes; returns the backend's result."""
    given = [narrowed(backend, value) for value in inputs]
    exact = [narrowed(REFERENCE, value) for value in given]
    expected = getattr(REFERENCE, method)(*exact)
    found = getattr(backend, method)(*given)
    if isinstance(expected, np.ndarray):
        close(backend, found, expected)
    else:
        assert found is None
        assert expected is None
    for target in targets:
        close(backend, given[target], exact[target])
    return found
