"""What a reconstruction asks of the ranks that share it; alone, every question has a trivial answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ptycupy.backends.interface import Array, Backend
from ptycupy.errors import MemoryShortage


class Ranks(Protocol):
    """The ranks of one reconstruction, of which each computes its own patterns.

    Every method but `own` and `report` is called by all ranks at the same place, and raises on all of them what one
    of them has failed with.
    """

    rank: int
    size: int
    sharing: int  # ranks that share this rank's memory, itself included
    here: NDArray[np.int32] | None  # the positions [n] whose patterns this rank has, in order; None = all

    def own(self, indices: NDArray[np.int32]) -> NDArray[np.int32]:
        """Those of a batch's positions whose patterns are here, in order; may be none."""
        ...

    def add(self, backend: Backend, arrays: Sequence[Array]) -> None:
        """Every array becomes its sum over the ranks, the same bits on each of them."""
        ...

    def gather(self, backend: Backend, arrays: Sequence[Array]) -> None:
        """Every array [N, ...] gets each position's row from the rank that has its pattern."""
        ...

    def agree(self, backend: Backend, arrays: Sequence[Array]) -> None:
        """Every array becomes what it is on rank 0."""
        ...

    def any(self, flag: bool) -> bool:
        """Whether it is set on some rank."""
        ...

    def exchange(self, thing: Any) -> list[Any]:
        """What every rank gives, in their order."""
        ...

    def report(self, error: MemoryShortage) -> bool:
        """Tells the others that this rank ran out of memory, so that they begin again with it: they get a
        MemoryShortage from what they call next. False where this is such a one: another rank's."""
        ...


class Alone:
    """One rank with all patterns."""

    rank = 0
    size = 1
    sharing = 1
    here = None

    def own(self, indices: NDArray[np.int32]) -> NDArray[np.int32]:
        return indices

    def add(self, backend: Backend, arrays: Sequence[Array]) -> None:
        return

    def gather(self, backend: Backend, arrays: Sequence[Array]) -> None:
        return

    def agree(self, backend: Backend, arrays: Sequence[Array]) -> None:
        return

    def any(self, flag: bool) -> bool:
        return flag

    def exchange(self, thing: Any) -> list[Any]:
        return [thing]

    def report(self, error: MemoryShortage) -> bool:
        return True


ALONE: Any = Alone()
