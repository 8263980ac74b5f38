"""What ops cost, written down op by op, and the memory that was alive."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields


@dataclass
class Cost:
    """Counts, not times: what an op moves and computes.

    Bytes are those that must come from or go to memory, each array once per kernel: what stays in a core's cache, or
    in registers, costs none. A transform of `points` pixels counts as 5 N log2 N flops (N = points), as usual for
    complex transforms of any length; `flops` are all others, with a root as ROOT.
    """

    calls: int = 0
    queued: int = 0  # by the host: kernels, copies, and transforms of a whole stack
    launches: int = 0  # the same for the device, where a transform is two kernels, of rows and of columns
    read: int = 0  # bytes
    written: int = 0  # bytes
    flops: float = 0.0
    elementary: float = 0.0  # numbers that loops work out one by one: sine and cosine, power, logarithm, look-up
    idle_flops: float = 0.0  # of multiprocessors that have no block in the last round of a launch
    transforms: int = 0  # 2-D, of one wave each
    transform_flops: float = 0.0
    library_flops: float = 0.0  # of these, what a library transforms: cuFFT, rocket-fft, scipy

    @property
    def bytes(self) -> int:
        """Read and written."""
        return self.read + self.written

    @property
    def all_flops(self) -> float:
        """With transforms, and each elementary function as ELEMENTARY."""
        return self.flops + self.transform_flops + ELEMENTARY * self.elementary

    def add(self, other: Cost, times: float = 1) -> None:
        """Adds another cost, so many times."""
        for field in fields(self):
            mine = getattr(self, field.name)
            total = mine + type(mine)(times * getattr(other, field.name))
            setattr(self, field.name, total)


ROOT = 20  # flops
ELEMENTARY = 20  # flops of an elementary function, on processors that work them out as fast as all else


class Ledger:
    """Costs by op, and bytes of arrays that are alive."""

    def __init__(self) -> None:
        self.costs: dict[str, Cost] = {}
        self.live = 0  # bytes
        self.peak = 0  # bytes
        self._open = ""  # the op whose cost is being written down

    @contextmanager
    def within(self, op: str) -> Iterator[None]:
        """Costs until the end of the block belong to `op`, or to the op that called it."""
        if self._open:
            yield
            return
        self._open = op
        self.cost.calls += 1
        try:
            yield
        finally:
            self._open = ""

    @property
    def cost(self) -> Cost:
        """Of the op that is open."""
        return self.costs.setdefault(self._open, Cost())

    @property
    def total(self) -> Cost:
        """Of all ops."""
        total = Cost()
        for cost in self.costs.values():
            total.add(cost)
        return total

    def take(self) -> dict[str, Cost]:
        """The costs so far; from now on they are counted from zero."""
        taken, self.costs = self.costs, {}
        return taken

    def allocated(self, nbytes: int) -> None:
        self.live += nbytes
        self.peak = max(self.peak, self.live)

    def freed(self, nbytes: int) -> None:
        self.live -= nbytes


__all__ = ["ELEMENTARY", "ROOT", "Cost", "Ledger"]
