"""Team: the ranks of one reconstruction, who has which patterns, and how they fail together."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn, Protocol

import numpy as np
from numpy.typing import NDArray

from ptycupy.backends.interface import Array, Backend
from ptycupy.distributed.comm import Comm, Local
from ptycupy.errors import MemoryShortage, PtycupyError

STOP, SHORT, FAILED = 1, 2, 4  # what a rank says of itself before everything that all do together


class RankFailure(PtycupyError):
    """What the ranks raise that did not fail themselves; that one has told why."""

    told = True

    def __init__(self, rank: int, text: str, exit_code: int) -> None:
        super().__init__(f"rank {rank} failed: {text}")
        self.rank = rank
        self.exit_code = exit_code


class Reducer(Protocol):
    """Adds device arrays up over the ranks."""

    def add(self, backend: Backend, arrays: Sequence[Array]) -> None:
        """Every array in place, the same bits on each rank."""
        ...


class Team:
    """`model.ranks.Ranks` by a Comm.

    Whatever all ranks do together begins with what each says of itself, so that a rank that fails, wherever it is, is
    heard by the others in what they do next, and all of them raise.
    """

    def __init__(self, comm: Comm) -> None:
        self.comm = comm
        self.rank, self.size = comm.rank, comm.size
        self.sharing = comm.local_size
        self.here: NDArray[np.int32] | None = None
        self._dealt = np.empty(0, np.int32)  # positions that some rank has
        self.host = HostReducer(comm)
        self.reducer: Reducer = self.host
        self._heard: list[PtycupyError] = []  # the last one, of this team and its siblings

    def sibling(self) -> Team:
        """The same ranks with a share of other positions, as of another scan."""
        other = Team(self.comm)
        other.reducer, other.sharing, other._heard = self.reducer, self.sharing, self._heard
        return other

    # --- who has what -----------------------------------------------------------------------------------------
    def deal(self, positions: NDArray[np.int32], alternating: bool) -> None:
        """Gives every rank its share of these positions: one piece of the scan, which is read in one go, or every
        n-th of them, where batches lie close together and would all fall to one rank."""
        parts = [positions[r :: self.size] for r in range(self.size)]
        self.give(parts if alternating else np.array_split(positions, self.size))

    def give(self, parts: Sequence[NDArray[np.int32]]) -> None:
        """Every rank has the patterns of its part of the positions, each part in order."""
        self.here = parts[self.rank]
        self._dealt = np.concatenate(parts)

    def own(self, indices: NDArray[np.int32]) -> NDArray[np.int32]:
        return indices if self.here is None else indices[np.isin(indices, self.here)]

    def settle(self, device: str) -> None:
        """How many ranks of this host compute on the same device as this one."""
        place = socket.gethostname(), device
        self.sharing = self.exchange(place).count(place)

    # --- together ---------------------------------------------------------------------------------------------
    def add(self, backend: Backend, arrays: Sequence[Array]) -> None:
        self._meet()
        if arrays:
            self.reducer.add(backend, arrays)

    def gather(self, backend: Backend, arrays: Sequence[Array]) -> None:
        self._meet()
        if self.here is None:
            return
        for array in arrays:
            mine = np.zeros(len(array), np.bool_)
            mine[self._dealt] = True
            mine = ~mine if self.rank == 0 else np.zeros_like(mine)  # what nobody has is the same everywhere
            mine[self.here] = True
            rows = np.zeros(array.shape, array.dtype)
            rows[mine] = backend.to_host(array)[mine]
            self.comm.add(rows.reshape(-1).view(backend.real))  # what is not here is 0: nothing is rounded
            backend.copy(array, backend.asarray(rows))

    def agree(self, backend: Backend, arrays: Sequence[Array]) -> None:
        self._meet()
        for array in arrays:
            host = np.array(backend.to_host(array))
            self.comm.broadcast(host)
            if self.rank:
                backend.copy(array, backend.asarray(host))

    def any(self, flag: bool) -> bool:
        return bool(self._meet(STOP if flag else 0) & STOP)

    def exchange(self, thing: Any) -> list[Any]:
        """What every rank gives, in their order."""
        self._meet()
        return self.comm.exchange(thing)

    def from_first(self, thing: Any) -> Any:
        """What rank 0 gives."""
        return self.exchange(thing if self.rank == 0 else None)[0]

    # --- failing ------------------------------------------------------------------------------------------------
    def report(self, error: MemoryShortage) -> bool:
        if error in self._heard:
            return False
        self._meet(SHORT)
        return True

    def _meet(self, bits: int = 0) -> int:
        said = self.comm.either(bits)
        if said & FAILED:
            self._hear(self._failure())
        if said & SHORT and not bits & SHORT:
            self._hear(MemoryShortage("another rank ran out of memory"))
        return said

    def _hear(self, error: PtycupyError) -> NoReturn:
        self._heard[:] = [error]
        raise error

    def _failure(self, error: BaseException | None = None) -> RankFailure:
        """The failure of the first rank that has one."""
        own = None if error is None else (f"{type(error).__name__}: {error}", int(getattr(error, "exit_code", 1)))
        first, (text, code) = next((r, why) for r, why in enumerate(self.comm.exchange(own)) if why is not None)
        return RankFailure(first, text, code)

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """What one rank raises in it, all raise: the first one that failed as it is, the others a RankFailure. At its
        end they wait for each other."""
        try:
            yield
            self._meet()
        except BaseException as error:
            if self.size == 1 or (error in self._heard and isinstance(error, RankFailure)):
                raise
            self.comm.either(FAILED)
            failure = self._failure(error)
            if failure.rank == self.rank:
                raise
            raise failure from error


def alone() -> Team:
    """The team of one process."""
    return Team(Local())


class HostReducer:
    """Sums on the host, in the order of the ranks: the same bits in every run of as many ranks."""

    def __init__(self, comm: Comm) -> None:
        self._comm = comm
        self._packed = np.empty(0, np.uint8)

    def add(self, backend: Backend, arrays: Sequence[Array]) -> None:
        parts = [backend.to_host(array) for array in arrays]
        kind = np.result_type(*(part.real.dtype for part in parts))
        sizes = [part.nbytes // part.real.dtype.itemsize for part in parts]
        if len(self._packed) < sum(sizes) * kind.itemsize:
            self._packed = np.empty(sum(sizes) * kind.itemsize, np.uint8)
        packed = self._packed[: sum(sizes) * kind.itemsize].view(kind)
        pieces = np.split(packed, np.cumsum(sizes)[:-1])
        for piece, part in zip(pieces, parts, strict=True):
            piece[:] = part.reshape(-1).view(part.real.dtype)
        self._comm.add(packed)
        for array, piece, part in zip(arrays, pieces, parts, strict=True):
            total = piece.astype(part.real.dtype, copy=False).view(part.dtype).reshape(part.shape)
            backend.copy(array, backend.asarray(total))
