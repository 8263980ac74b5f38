"""The backend that counts as CUDA works, and what counting backends are asked for."""

from __future__ import annotations

import math
from dataclasses import fields, is_dataclass, replace
from typing import Any, cast

from numpy.typing import DTypeLike

from ptycupy.backends import composed
from ptycupy.backends.cuda.arena import Arena
from ptycupy.backends.cuda.transforms import LARGEST_PLAN
from ptycupy.backends.interface import Array
from ptycupy.backends.tapes import TAPES
from ptycupy.planning.counting import Counting
from ptycupy.planning.cpu import CountingCpu
from ptycupy.planning.ledger import Cost
from ptycupy.planning.memory import op
from ptycupy.planning.shaped import Block, Shaped


class CountingCuda(Counting):
    """As the CUDA backend works with cuFFT: kernels between transforms, and a transform is two kernels of its own,
    along rows and along columns, so that it reads and writes a stack twice."""

    kind = "cuda"
    transform_passes = 4

    def _make_arena(self) -> Any:
        return _DeviceArena(cast(Any, self))

    def _transform(self, waves: Array) -> None:
        super()._transform(waves)
        height, width = waves.shape[-2:]
        batch = min(waves.size, LARGEST_PLAN) // max(height * width, 1)
        # cuFFT's work area is about as large as the stack; plans are kept.
        self.plans[(height, width), batch] = batch * height * width * self.complex.itemsize

    @op
    def multislice_forward(
        self, waves: Array, transmission: Array, transfer: Array, corners: Array, indices: Array
    ) -> tuple[Array, Any]:
        arrays = (transmission, transfer, corners, indices)
        return composed.multislice_forward(cast(Any, self), waves, *arrays, TAPES[self.tape])

    @op
    def multislice_backward(
        self,
        grad_exits: Array,
        saved: Any,
        transmission: Array,
        transfer: Array,
        corners: Array,
        indices: Array,
        grad_transmission: Array | None,
        needs_waves: bool,
    ) -> Array | None:
        arrays = (transmission, transfer, corners, indices)
        return composed.multislice_backward(cast(Any, self), grad_exits, saved, *arrays, grad_transmission, needs_waves)

    def _scatter(self, windows: int, flops: float) -> None:
        super()._scatter(windows, flops)
        if self.deterministic:  # written, then gathered in order
            patches = self.empty((windows,), "uint8")
            self._traffic((patches,), (patches,), launches=1)


class _DeviceArena(Arena):
    """The CUDA backend's own, on memory that is only counted."""

    def __init__(self, device: Any) -> None:
        super().__init__(device)
        self._made: list[int] = []

    def bytes(self) -> int:
        return sum(self._made)

    def _block(self, nbytes: int) -> tuple[int, int, Array]:
        known = self._serial
        block = super()._block(nbytes)
        if self._serial > known:
            self._made.append(nbytes)
        return block

    def clear(self) -> None:
        super().clear()
        self._made.clear()


KINDS: dict[str, type[Counting]] = {"cpu": CountingCpu, "cuda": CountingCuda}


def counting(kind: str, dtype: DTypeLike = "float32", deterministic: bool = False, tape: str = "full") -> Counting:
    """The counting twin of a backend, by its name: "cpu", or "cuda", "cuda:1", ..."""
    return KINDS["cuda" if kind.startswith(("cuda", "host")) else kind](dtype, deterministic, tape)


def shaped(value: Any) -> Any:
    """A copy with every array in it, in dataclasses, tuples, lists and dicts too, replaced by one without values."""
    if isinstance(value, Shaped) or value is None:
        return value
    if is_dataclass(value) and not isinstance(value, type):  # packed patterns have a shape too
        return replace(value, **{f.name: shaped(getattr(value, f.name)) for f in fields(value) if f.init})
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        size = math.prod(value.shape) * value.dtype.itemsize
        return Shaped(tuple(value.shape), value.dtype, Block(size))
    if isinstance(value, (tuple, list)):
        return type(value)(shaped(item) for item in value)
    if isinstance(value, dict):
        return {key: shaped(item) for key, item in value.items()}
    return value


def cost_of(kind: str, name: str, *arguments: Any, dtype: DTypeLike = "float32", **keywords: Any) -> Cost:
    """What a call of a backend's method `name` costs, from the shapes of its arguments.

    cost_of("cuda", "transmit_forward", waves, transmission, 0, corners, indices).bytes
    """
    backend = counting(kind, dtype)
    method = getattr(backend, name)
    method(*(shaped(a) for a in arguments), **{key: shaped(a) for key, a in keywords.items()})
    return backend.ledger.total


__all__ = ["Counting", "CountingCpu", "CountingCuda", "cost_of", "counting", "shaped"]
