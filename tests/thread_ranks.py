"""Ranks that are threads of one process: the whole of ptycupy.distributed but MPI itself, without a launcher."""

from __future__ import annotations

import queue
import threading
from typing import Any

import numpy as np

from ptycupy.distributed.team import Team
from ptycupy.storage.snapshot import Snapshot

# Of the largest value of each array, after ten iterations. The line search of L-BFGS decides by single numbers.
TOLERANCE = {"float64": 1e-12, "float32": 2e-5}


class ThreadComm:
    """A Comm between threads; every rank's values meet in one list."""

    def __init__(self, rank: int, meeting: Meeting) -> None:
        self.rank = self.local_rank = rank
        self.size = self.local_size = meeting.size
        self._meeting = meeting

    def exchange(self, thing: Any) -> list[Any]:
        return self._meeting.exchange(self.rank, thing)

    def either(self, bits: int) -> int:
        return int(np.bitwise_or.reduce(self.exchange(bits)))

    def add(self, values: np.ndarray) -> None:
        parts = self.exchange(values.copy())
        total = parts[0].copy()
        for part in parts[1:]:
            total += part
        values[:] = total

    def add_on_device(self, array: Any) -> None:
        self.add(array)

    def broadcast(self, values: np.ndarray) -> None:
        values[...] = self.exchange(values.copy())[0]

    def swap(self, outgoing: Any, incoming: Any) -> None:
        self._meeting.post(self.rank, outgoing)
        for rank, array in incoming.items():
            array[...] = self._meeting.fetch(rank, self.rank)

    def abort(self, exit_code: int) -> None:
        raise SystemExit(exit_code)


class Meeting:
    """Where the threads meet; whoever waits for a minute gives up."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._given: list[Any] = [None] * size
        self._barrier = threading.Barrier(size, timeout=60)
        self._letters = {(a, b): queue.Queue() for a in range(size) for b in range(size)}

    def exchange(self, rank: int, thing: Any) -> list[Any]:
        self._given[rank] = thing
        self._barrier.wait()
        found = list(self._given)
        self._barrier.wait()
        return found

    def post(self, sender: int, letters: Any) -> None:
        for receiver, letter in letters.items():
            self._letters[sender, receiver].put(np.array(letter))

    def fetch(self, sender: int, receiver: int) -> Any:
        return self._letters[sender, receiver].get(timeout=60)


def together(size: int, work: Any) -> list[Any]:
    """work(team) on so many ranks at once; what each returns, or the error that it ends with."""
    meeting = Meeting(size)
    found: list[Any] = [None] * size

    def run(rank: int) -> None:
        team = Team(ThreadComm(rank, meeting))
        try:
            with team.guarded():
                found[rank] = work(team)
        except BaseException as error:
            found[rank] = error

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def same(a: Snapshot, b: Snapshot, tolerance: float) -> None:
    """That two runs went the same way: State, losses and what the optimizer remembers."""
    for name, value in a.state.items():
        scale = np.abs(value).max()
        np.testing.assert_allclose(getattr(b.state, name), value, rtol=0, atol=tolerance * scale, err_msg=name)
    np.testing.assert_allclose(b.history.total, a.history.total, rtol=tolerance)
    for name, memory in a.moments.items():
        for key, array in memory.arrays.items():
            other = b.moments[name].arrays[key]
            scale = np.abs(array).max()
            np.testing.assert_allclose(other, array, rtol=0, atol=100 * tolerance * scale, err_msg=f"{name} {key}")
