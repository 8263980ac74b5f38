"""Arrays without values: a shape and a type, in memory that is only counted."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray


class Flags(NamedTuple):
    c_contiguous: bool = True


class Block:
    """Counted memory; gives itself back when the last array in it is gone."""

    __slots__ = ("_give_back", "nbytes")

    def __init__(self, nbytes: int, give_back: Callable[[int], None] | None = None) -> None:
        self.nbytes = nbytes
        self._give_back = give_back

    def __del__(self) -> None:
        if self._give_back is not None:
            self._give_back(self.nbytes)


class Shaped:
    """What ops may ask of an array, and no more: arithmetic, and values of it, are errors.

    `values` are those of an array that came from the host: indices and small tables that host code reads again.
    """

    flags = Flags()

    def __init__(
        self, shape: tuple[int, ...], dtype: DTypeLike, block: Block, values: NDArray[Any] | None = None
    ) -> None:
        self.shape = tuple(int(length) for length in shape)
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        self.block = block
        self.values = values

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("an array without axes has no length")
        return self.shape[0]

    def __getitem__(self, key: Any) -> Shaped:
        """The view that NumPy would give."""
        part = np.broadcast_to(np.empty((), self.dtype), self.shape)[key]
        values = None if self.values is None else self.values[key]
        return Shaped(part.shape, self.dtype, self.block, values)

    def reshape(self, *shape: Any) -> Shaped:
        wanted = shape[0] if len(shape) == 1 and isinstance(shape[0], tuple) else shape
        if -1 in wanted:
            known = -math.prod(wanted)
            wanted = tuple(self.size // known if length == -1 else length for length in wanted)
        if math.prod(wanted) != self.size:
            raise ValueError(f"an array {self.shape} cannot have the shape {wanted}")
        values = None if self.values is None else self.values.reshape(wanted)
        return Shaped(wanted, self.dtype, self.block, values)

    def view(self, dtype: DTypeLike) -> Shaped:
        target = np.dtype(dtype)
        last = self.shape[-1] * self.dtype.itemsize // target.itemsize
        return Shaped((*self.shape[:-1], last), target, self.block)

    def __array__(self, *_: Any, **__: Any) -> NDArray[Any]:
        raise TypeError(f"an array {self.shape} of {self.dtype} has no values: only its shape is known")


__all__ = ["Block", "Shaped"]
