"""The protocol's memory in complex128 NumPy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ptycupy.backends.interface import Array


class Memory:
    name = "reference"
    tape = "full"
    real: np.dtype[Any] = np.dtype(np.float64)
    complex: np.dtype[Any] = np.dtype(np.complex128)

    def asarray(self, values: Any, dtype: DTypeLike | None = None) -> Array:
        return np.ascontiguousarray(values, dtype)

    def to_host(self, array: Array) -> NDArray[Any]:
        return np.asarray(array)

    def zeros(self, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        return np.zeros(shape, dtype)

    def empty(self, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        return np.empty(shape, dtype)

    @contextmanager
    def arena(self) -> Iterator[None]:
        yield

    def fill(self, array: Array, value: float) -> None:
        array[...] = value

    def copy(self, target: Array, source: Array) -> None:
        target[...] = source

    def add(self, target: Array, source: Array) -> None:
        target += source

    def multiply(self, values: Array, factor: Array) -> None:
        values *= factor[0]

    def half_encode(self, waves: Array, halves: Array, scales: Array) -> None:
        components = np.stack([waves.real, waves.imag], -1)
        scales[...] = 1
        for wave in np.ndindex(scales.shape):
            finite = components[wave][~np.isnan(components[wave])]
            largest = np.abs(finite).max(initial=0)
            if 0 < largest < np.inf:
                scales[wave] = 2.0 ** max(np.floor(np.log2(largest)) - 14, -126)
            with np.errstate(over="ignore"):
                halves[wave] = components[wave] / scales[wave]

    def half_decode(self, halves: Array, scales: Array, waves: Array) -> None:
        values = halves.astype(np.float64) * scales[..., None, None, None]
        waves.real, waves.imag = values[..., 0], values[..., 1]

    def staging(self, target: Array) -> NDArray[Any]:
        return target

    def send(self, target: Array, values: NDArray[Any], after: Any) -> Any:
        target[...] = values
        return self.mark()

    def mark(self) -> Any:
        return SimpleNamespace(wait=lambda: None)

    def wait(self, mark: Any) -> None: ...

    def record(self, queue: Callable[[], None]) -> Any:
        return SimpleNamespace(launch=queue)

    def free_bytes(self) -> int:
        return 1 << 30

    def release(self) -> None:
        return

    def synchronize(self) -> None:
        return
