"""What ranks would send each other: a Comm and a Reducer that move nothing and count."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.backends.interface import Array, Backend
from ptycupy.planning.ceilings import Ceilings

DRAWS = 400  # of a batch, to see how it falls on the ranks


@dataclass
class Traffic:
    """Of one rank."""

    summed: int = 0  # bytes of arrays that are added up over the ranks
    passed: int = 0  # bytes that go from rank to rank as they are, one way: sent or got, whichever are more
    messages: int = 0  # one after the other

    def seconds(self, machine: Ceilings, ranks: int) -> float:
        """Through the host's memory: to it, over the link, and back. Of a sum, each rank adds one part of everything
        and hands it round."""
        carried = 2 * (ranks - 1) / ranks * self.summed + self.passed
        bus = 2 * (self.summed + self.passed) / machine.bus_bytes_per_second if machine.bus_bytes_per_second else 0.0
        return bus + carried / machine.link_bytes_per_second + self.messages * machine.link_seconds


class CountedComm:
    """One rank of several that are not there: all of them say what this one does."""

    local_rank, local_size = 0, 1

    def __init__(self, rank: int, size: int) -> None:
        self.rank, self.size = rank, size
        self._traffic = Traffic()

    def take(self) -> Traffic:
        """What was counted since the last time."""
        found, self._traffic = self._traffic, Traffic()
        return found

    def count(self, summed: int = 0, passed: int = 0, messages: int = 0) -> None:
        self._traffic.summed += summed
        self._traffic.passed += passed
        self._traffic.messages += messages

    def either(self, bits: int) -> int:
        self.count(messages=self._steps)
        return bits

    def add(self, values: NDArray[Any]) -> None:
        self.sum(values.nbytes)

    def add_on_device(self, array: Any) -> None:
        self.sum(int(array.nbytes))

    def sum(self, nbytes: int) -> None:
        """Of arrays of so many bytes."""
        self.count(summed=nbytes, messages=2 * (self.size - 1))

    def broadcast(self, values: NDArray[Any]) -> None:
        self.count(passed=values.nbytes, messages=self._steps)

    def exchange(self, thing: Any) -> list[Any]:
        self.count(messages=self._steps)
        return [thing] * self.size

    def swap(self, outgoing: Mapping[int, NDArray[Any]], incoming: Mapping[int, NDArray[Any]]) -> None:
        sent, got = (sum(array.nbytes for array in arrays.values()) for arrays in (outgoing, incoming))
        self.count(passed=max(sent, got), messages=max(len(outgoing), len(incoming)))
        for array in incoming.values():
            array.fill(0)  # what others would send has no values, but is added to

    def abort(self, exit_code: int) -> None:
        raise SystemExit(exit_code)

    @property
    def _steps(self) -> int:
        """Of what goes from each to all by doubling."""
        return math.ceil(math.log2(self.size))


class CountedSums:
    """A Reducer for arrays that have no values."""

    def __init__(self, comm: CountedComm) -> None:
        self._comm = comm

    def add(self, backend: Backend, arrays: Sequence[Array]) -> None:
        self._comm.sum(sum(int(array.nbytes) for array in arrays))


def most(ranks: int, batch: int, positions: int) -> float:
    """Patterns of a random batch on the rank that has most of them, in the mean over some draws: all wait for it."""
    shares = [positions // ranks + (rank < positions % ranks) for rank in range(ranks)]
    random = np.random.default_rng(0)
    return float(np.mean([random.multivariate_hypergeometric(shares, batch).max() for _ in range(DRAWS)]))


__all__ = ["CountedComm", "CountedSums", "Traffic", "most"]
