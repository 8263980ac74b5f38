"""The counting twins of backends, and what they are asked for."""

from __future__ import annotations

import math
from dataclasses import fields, is_dataclass, replace
from typing import Any, cast

from numpy.typing import DTypeLike

from ptycupy.backends.interface import Backend
from ptycupy.planning.chip import USUAL, Chip
from ptycupy.planning.counting import Counting
from ptycupy.planning.cpu import CountingCpu
from ptycupy.planning.cuda import CountingCuda
from ptycupy.planning.ledger import Cost
from ptycupy.planning.memory import USUALLY, How
from ptycupy.planning.shaped import Block, Shaped


def counting(kind: str, how: How = USUALLY, chip: Chip = USUAL) -> Counting:
    """The counting twin of a backend, by its name: "cpu", or "cuda", "cuda:1", ..., and by what configures it."""
    return CountingCpu(how) if kind == "cpu" else CountingCuda(how, chip)


def twin_of(backend: Backend) -> Counting:
    """What counts as this backend works, if it does not count itself."""
    if isinstance(backend, Counting):
        return backend.fresh()
    if backend.name == "cpu":
        return CountingCpu(How(backend.real, tape=backend.tape, fft=backend.fft))
    deterministic = cast(Any, backend).deterministic  # the only other one
    how = How(backend.real, deterministic, backend.tape, backend.fft, backend.graphs)
    return CountingCuda(how, chip_of(backend))


def chip_of(backend: Backend) -> Chip:
    """Of the device that a backend works on, where it has one."""
    device = getattr(backend, "_device", None)
    return USUAL if device is None else Chip(device.shared_memory, device.multiprocessors)


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
        items = map(shaped, value)
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    if isinstance(value, dict):
        return {key: shaped(item) for key, item in value.items()}
    return value


def cost_of(kind: str | Backend, name: str, *arguments: Any, dtype: DTypeLike = "float32", **keywords: Any) -> Cost:
    """What a call of a backend's method `name` costs, from the shapes of its arguments.

    cost_of("cuda", "transmit_forward", waves, transmission, 0, corners, indices).bytes
    """
    backend = counting(kind, How(dtype)) if isinstance(kind, str) else twin_of(kind)
    method = getattr(backend, name)
    method(*(shaped(a) for a in arguments), **{key: shaped(a) for key, a in keywords.items()})
    return backend.ledger.total


__all__ = ["Counting", "CountingCpu", "CountingCuda", "How", "chip_of", "cost_of", "counting", "shaped", "twin_of"]
