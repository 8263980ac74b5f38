"""Comm by MPI; the only home of mpi4py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray


class Mpi:
    """All ranks of the launcher."""

    def __init__(self) -> None:
        self._world = MPI.COMM_WORLD.Dup()  # a caller's own messages stay out of ours
        self.rank, self.size = int(self._world.Get_rank()), int(self._world.Get_size())
        neighbours = self._world.Split_type(MPI.COMM_TYPE_SHARED)
        self.local_rank, self.local_size = int(neighbours.Get_rank()), int(neighbours.Get_size())
        neighbours.Free()
        self.library = str(MPI.Get_library_version()).splitlines()[0].strip("\0 ")

    def either(self, bits: int) -> int:
        said = np.array([bits], np.int32)
        self._world.Allreduce(MPI.IN_PLACE, said, MPI.BOR)
        return int(said[0])

    def add(self, values: NDArray[Any]) -> None:
        """Every rank adds up one part of all and hands it round: as few bytes as the best all-reduce, but in an order
        that is ours and not the library's."""
        most, rest = divmod(len(values), self.size)
        sizes = [most + (rank < rest) for rank in range(self.size)]
        starts = [sum(sizes[:rank]) for rank in range(self.size)]
        mine, start = sizes[self.rank], starts[self.rank]
        parts = np.empty((self.size, mine), values.dtype)
        counts = [mine] * self.size, [mine * rank for rank in range(self.size)]
        self._world.Alltoallv([values, (sizes, starts)], [parts, counts])
        total = values[start : start + mine]
        total[:] = parts[0]
        for part in parts[1:]:
            total += part
        self._world.Allgatherv(MPI.IN_PLACE, [values, (sizes, starts)])

    def add_on_device(self, array: Any) -> None:
        self._world.Allreduce(MPI.IN_PLACE, array, MPI.SUM)

    def broadcast(self, values: NDArray[Any]) -> None:
        self._world.Bcast(values.view(np.uint8), 0)

    def exchange(self, thing: Any) -> list[Any]:
        found: list[Any] = self._world.allgather(thing)
        return found

    def swap(self, outgoing: Mapping[int, NDArray[Any]], incoming: Mapping[int, NDArray[Any]]) -> None:
        waiting = [self._world.Irecv(array, rank) for rank, array in incoming.items()]
        waiting += [self._world.Isend(array, rank) for rank, array in outgoing.items()]
        MPI.Request.Waitall(waiting)

    def abort(self, exit_code: int) -> None:
        self._world.Abort(exit_code)
