"""What an optimizer is, and the memory that it keeps of each parameter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from ptycupy.backends.interface import Array, Backend


@dataclass
class Moments:
    """Memory of one parameter: named device arrays, named numbers, and how many steps were taken.

    All of it is saved and restored. Axes that are as long as the object's canvas grow with it, filled with zeros.
    """

    arrays: dict[str, Array] = field(default_factory=dict)
    scalars: dict[str, float] = field(default_factory=dict)
    step: int = 0

    def mapped(self, change: Callable[[Array], Array]) -> Moments:
        """The same memory with every array changed."""
        return Moments({name: change(array) for name, array in self.arrays.items()}, dict(self.scalars), self.step)


class Optimizer(Protocol):
    """A user's own optimizer is an object of this shape; a class registered as `ptycupy.optimizers` makes one."""

    def init(self, backend: Backend, parameter: Array) -> Moments:
        """The memory of one parameter before its first step."""
        ...

    def update(self, backend: Backend, parameter: Array, grad: Array, moments: Moments, learning_rate: float) -> None:
        """One step in place."""
        ...


@runtime_checkable
class Repeatable(Optimizer, Protocol):
    """An optimizer whose step is the same launches every time, so that it can be recorded.

    What differs from step to step is read from device memory; `moments.step` is counted by whoever launches.
    """

    def numbers(self, step: int, learning_rate: float) -> tuple[float, float, float]:
        """What differs between steps, counted from 1."""
        ...

    def repeat(self, backend: Backend, parameter: Array, grad: Array, moments: Moments, numbers: Array) -> None:
        """`update` with `numbers` [3] float64 on the device."""
        ...


def zeros(backend: Backend, parameter: Array, *names: str) -> Moments:
    """Memory of zeroed arrays of the parameter's shape and type."""
    return Moments({name: backend.zeros(parameter.shape, parameter.dtype) for name in names})


def real_shape(backend: Backend, parameter: Array) -> tuple[int, ...]:
    """The shape of a parameter as reals: a complex one has a last axis of its real and imaginary parts more."""
    shape = tuple(int(length) for length in parameter.shape)
    return shape if parameter.dtype == backend.real else (*shape, 2)


def filled(backend: Backend, parameter: Array, value: float) -> Array:
    """An array of reals with one value, for memory that starts with something else than zero."""
    array = backend.zeros(real_shape(backend, parameter), backend.real)
    backend.fill(array, value)
    return array
