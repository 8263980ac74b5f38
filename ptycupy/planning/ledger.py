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
    complex transforms of any length; `flops` are all others, with one elementary function as ELEMENTARY.
    """

    calls: int = 0
    launches: int = 0  # kernels; a transform counts as two, of rows and of columns
    read: int = 0  # bytes
    written: int = 0  # bytes
    flops: float = 0.0
    transforms: int = 0  # 2-D, of one wave each
    transform_flops: float = 0.0

    @property
    def bytes(self) -> int:
        """Read and written."""
        return self.read + self.written

    def add(self, other: Cost, times: float = 1) -> None:
        """Adds another cost, so many times."""
        for field in fields(self):
            kind = float if "flops" in field.name else int
            total = getattr(self, field.name) + kind(times * getattr(other, field.name))
            setattr(self, field.name, total)


ELEMENTARY = 20  # flops of a sine and cosine, root, power, logarithm, exponential or arctangent


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


__all__ = ["ELEMENTARY", "Cost", "Ledger"]
