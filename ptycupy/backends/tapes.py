"""How the waves that enter each slice wait for the adjoint of the specimen."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol

import numpy as np

from ptycupy.backends.interface import Array


class Arrays(Protocol):
    """What a tape asks of a backend, as its `Memory` has it."""

    real: np.dtype[Any]
    complex: np.dtype[Any]

    def empty(self, shape: tuple[int, ...], dtype: Any) -> Array: ...

    def arena(self) -> AbstractContextManager[None]: ...

    def copy(self, target: Array, source: Array) -> None: ...

    def half_encode(self, waves: Array, halves: Array, scales: Array) -> None: ...

    def half_decode(self, halves: Array, scales: Array, waves: Array) -> None: ...


class Tape(Protocol):
    """The waves that enter the slices of one pass: `waves` the first slice, those that are kept the others, in all
    `shape` [z - 1, n, o, p, y, x]."""

    def __init__(self, backend: Arrays, waves: Array, shape: tuple[int, ...]) -> None: ...

    def keep(self, make: Callable[[], Array]) -> Array:
        """Keeps and returns the waves [n, o, p, y, x] that `make` computes for the next slice; the result is good
        until the next call."""
        ...

    def get(self, number: int) -> Array:
        """The waves that enter this slice, good until the next call."""
        ...


class FullTape:
    """Every wave as it is."""

    def __init__(self, backend: Arrays, waves: Array, shape: tuple[int, ...]) -> None:
        self._entries = [waves]

    def keep(self, make: Callable[[], Array]) -> Array:
        self._entries.append(make())
        return self._entries[-1]

    def get(self, number: int) -> Array:
        return self._entries[number]


class HalfTape:
    """In half precision, with a scale per wave: half the memory, gradients of the object within about 2e-4.

    The pass itself goes on in full precision. One stack of waves holds what enters the current slice; the scratch of
    the step from slice to slice is free again after it.
    """

    def __init__(self, backend: Arrays, waves: Array, shape: tuple[int, ...]) -> None:
        self._backend, self._first, self._kept = backend, waves, 0
        # All at once: an arena would lend whole idle stacks for halves of one slice.
        self._halves = backend.empty((*shape, 2), np.float16)
        self._scales = backend.empty(shape[:-2], backend.real)
        self._current = backend.empty(shape[1:], backend.complex)

    def keep(self, make: Callable[[], Array]) -> Array:
        with self._backend.arena():
            self._backend.copy(self._current, make())
            self._backend.half_encode(self._current, self._halves[self._kept], self._scales[self._kept])
        self._kept += 1
        return self._current

    def get(self, number: int) -> Array:
        if number == 0:
            return self._first
        self._backend.half_decode(self._halves[number - 1], self._scales[number - 1], self._current)
        return self._current


TAPES: dict[str, type[Tape]] = {"full": FullTape, "half": HalfTape}

__all__ = ["TAPES", "Arrays", "FullTape", "HalfTape", "Tape"]
