"""Memory methods of a counting backend, and how its other parts write down what they cost."""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ptycupy.backends.host_arena import HostArena
from ptycupy.backends.interface import Array, Mark
from ptycupy.backends.marks import Past
from ptycupy.backends.recording import Recording
from ptycupy.planning.ledger import Ledger
from ptycupy.planning.shaped import Block, Shaped

Method = TypeVar("Method", bound=Callable[..., Any])
Bytes = Array | int | None  # of a traffic: an array as a whole, a number, or nothing

ROW = 512  # bytes: device arrays start at multiples of it


def op(method: Method) -> Method:
    """A backend's method whose costs are written down under its name, or under that of the op that calls it."""

    @functools.wraps(method)
    def counted(self: Any, *arguments: Any, **keywords: Any) -> Any:
        with self.ledger.within(method.__name__):
            return method(self, *arguments, **keywords)

    return cast(Method, counted)


@dataclass(frozen=True)
class How:
    """How a backend that is counted is configured; see `backends.select`."""

    dtype: DTypeLike = "float32"
    deterministic: bool = False
    tape: str = "full"
    fft: str = "auto"
    graphs: bool = False


USUALLY = How()


class Memory:
    """Arrays without values. `arena_bytes` is what all blocks of scratch together take."""

    kind: str
    launched: set[str]  # kernels that count for themselves
    threads = os.cpu_count() or 1
    transform_passes: int  # over a stack in memory, reads and writes together, for one 2-D transform of it

    def __init__(self, how: How = USUALLY) -> None:
        self.how = how
        self.fft, self.graphs, self.launched = how.fft, how.graphs, set()
        self.real: np.dtype[Any] = np.dtype(how.dtype)
        self.complex: np.dtype[Any] = np.result_type(self.real, np.complex64)
        self.deterministic = how.deterministic
        self.tape = how.tape
        self.ledger = Ledger()
        self.plans: dict[tuple[tuple[int, int], int], int] = {}  # bytes of work areas by (shape, batch)
        self._arena: Any = self._make_arena()

    @property
    def name(self) -> str:
        return self.kind

    def _make_arena(self) -> Any:
        return HostArena(self.alloc)

    def arena_bytes(self) -> int:
        """What the blocks of scratch take, lent or not."""
        return int(self._arena.bytes())

    def plan_bytes(self) -> int:
        """What the transforms' own work areas take."""
        return sum(self.plans.values())

    def alloc(self, shape: tuple[int, ...], dtype: DTypeLike) -> Shaped:
        """A new array, whose memory counts for as long as it, or a view of it, is there."""
        nbytes = math.prod(shape) * np.dtype(dtype).itemsize
        self.ledger.allocated(nbytes)
        return Shaped(shape, dtype, Block(nbytes, self.ledger.freed))

    # --- the protocol -----------------------------------------------------------------------------------------
    def asarray(self, values: Any, dtype: DTypeLike | None = None) -> Array:
        if isinstance(values, Shaped):
            return values if dtype is None or values.dtype == dtype else self.alloc(values.shape, dtype)
        host = np.asarray(values)
        made = self.alloc(host.shape, host.dtype if dtype is None else dtype)
        made.values = host
        return made

    def to_host(self, array: Array) -> NDArray[Any]:
        """What came from the host, else zeros."""
        return np.zeros(array.shape, array.dtype) if array.values is None else np.array(array.values, array.dtype)

    def staging(self, target: Array) -> NDArray[Any]:
        return np.broadcast_to(np.zeros((), target.dtype), target.shape)

    def send(self, target: Array, values: NDArray[Any], after: Mark) -> Mark:
        return after

    def mark(self) -> Mark:
        return Past()

    def wait(self, mark: Mark) -> None:
        return

    def zeros(self, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        return self.alloc(shape, dtype)

    def empty(self, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        return self._arena.empty(shape, dtype)

    def arena(self) -> AbstractContextManager[None]:
        scope: AbstractContextManager[None] = self._arena.scope()
        return scope

    @op
    def fill(self, array: Array, value: float) -> None:
        self._traffic(writes=(array,))

    @op
    def copy(self, target: Array, source: Array) -> None:
        self._traffic(reads=(source,), writes=(target,))

    @op
    def add(self, target: Array, source: Array) -> None:
        self._traffic(reads=(target, source), writes=(target,), flops=self._reals(target))

    @op
    def multiply(self, values: Array, factor: Array) -> None:
        self._traffic(reads=(values,), writes=(values,), flops=self._reals(values))

    @op
    def half_encode(self, waves: Array, halves: Array, scales: Array) -> None:
        self._traffic(reads=(2 * waves.nbytes,), writes=(halves, scales), flops=4 * self._reals(waves), launches=2)

    @op
    def half_decode(self, halves: Array, scales: Array, waves: Array) -> None:
        self._traffic(reads=(halves, scales), writes=(waves,), flops=self._reals(waves))

    def free_bytes(self) -> int:
        return 2**62

    def release(self) -> None:
        self._arena.clear()
        self.plans.clear()

    def synchronize(self) -> None:
        return

    def record(self, queue: Callable[[], None]) -> Recording:
        return Recording(queue)

    # --- how parts write down costs ------------------------------------------------------------------------------
    def _traffic(
        self,
        reads: Sequence[Bytes] = (),
        writes: Sequence[Bytes] = (),
        flops: float = 0.0,
        launches: int = 1,
        elementary: float = 0.0,
    ) -> None:
        cost = self.ledger.cost
        cost.read += sum(map(_size, reads))
        cost.written += sum(map(_size, writes))
        cost.flops += flops
        cost.elementary += elementary
        cost.launches += launches
        cost.queued += launches

    def _transform(self, waves: Array) -> None:
        """By a library: 2-D transforms of all waves of a stack [..., y, x]."""
        before = self.ledger.cost.transform_flops
        self._transformed(waves)
        self.ledger.cost.library_flops += self.ledger.cost.transform_flops - before
        self._traffic((self.transform_passes * waves.nbytes // 2,), (self.transform_passes * waves.nbytes // 2,), 0, 2)
        self.ledger.cost.queued -= 1

    def _transformed(self, waves: Array, times: int = 1) -> None:
        """In the middle of a kernel: so many 2-D transforms of every wave [..., y, x], or [..., y, 2 x] of real and
        imaginary parts."""
        height, width = waves.shape[-2], waves.shape[-1] * waves.dtype.itemsize // self.complex.itemsize
        points, cost = height * width, self.ledger.cost
        count = times * waves.nbytes // (points * self.complex.itemsize) if points else 0
        cost.transforms += count
        cost.transform_flops += 5 * count * points * math.log2(max(points, 1))

    def _reals(self, array: Array) -> int:
        """Real numbers in an array."""
        return int(array.size) * (2 if array.dtype.kind == "c" else 1)


def _size(part: Bytes) -> int:
    if part is None:
        return 0
    return part if isinstance(part, int) else int(part.nbytes)


__all__ = ["Bytes", "Memory", "op"]
