"""How sums are made: which way is taken, what is refused, and what NCCL is told."""

from __future__ import annotations

import contextlib
import importlib
import threading
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from thread_ranks import together

from ptycupy.backends.cuda.collective import NcclConnector
from ptycupy.distributed.reduce import ConnectedReducer, DeviceReducer, choose
from ptycupy.distributed.team import HostReducer, Team
from ptycupy.errors import ConfigError, ResourceError

SIZE = 2


class DeviceArray:
    """An array as CuPy has them: its memory is a number."""

    memory: dict[int, np.ndarray] = {}

    def __init__(self, values: Any) -> None:
        self.values = np.array(values)
        self.size, self.dtype, self.nbytes = self.values.size, self.values.dtype, self.values.nbytes
        self.data = SimpleNamespace(ptr=self.values.ctypes.data)
        self.memory[self.data.ptr] = self.values.reshape(-1).view(self.dtype.char.lower())


class FakeNccl:
    """cupy.cuda.nccl between threads: sums what is queued in a group when the group ends."""

    NCCL_FLOAT32, NCCL_FLOAT64, NCCL_SUM = 7, 8, 0
    NcclError = RuntimeError
    available = True
    made = threading.Lock()

    def __init__(self) -> None:
        self.groups: dict[int, list[Any]] = {}
        self.barrier = threading.Barrier(SIZE, timeout=60)
        self.queued: dict[int, list[Any]] = {}

    def get_unique_id(self) -> tuple[int, ...]:
        return (1, 2, 3)

    def NcclCommunicator(self, size: int, unique_id: Any, rank: int) -> Any:
        assert (size, unique_id) == (SIZE, (1, 2, 3))
        return SimpleNamespace(allReduce=lambda *call: self.queued[threading.get_ident()].append(call))

    def groupStart(self) -> None:
        self.queued[threading.get_ident()] = []

    def groupEnd(self) -> None:
        self.barrier.wait()
        ranks = list(self.queued)
        sums = []
        for calls in zip(*(self.queued[rank] for rank in ranks), strict=True):
            parts = [DeviceArray.memory[call[0]] for call in calls]
            kinds = {7: np.float32, 8: np.float64}
            for (source, target, count, kind, op, stream), part in zip(calls, parts, strict=True):
                assert (source, op, stream) == (target, 0, 77)
                assert (count, kinds[kind]) == (part.size, part.dtype)
            sums.append(np.sum(parts, axis=0))
        self.barrier.wait()
        for call, total in zip(self.queued[threading.get_ident()], sums, strict=True):
            DeviceArray.memory[call[0]][:] = total
        self.barrier.wait()


def test_nccl_is_told_types_counts_and_stream_and_adds_in_one_group(monkeypatch: pytest.MonkeyPatch) -> None:
    nccl = FakeNccl()
    monkeypatch.setattr(importlib, "import_module", lambda name: {"cupy.cuda.nccl": nccl}[name])
    cupy = SimpleNamespace(cuda=SimpleNamespace(get_current_stream=lambda: SimpleNamespace(ptr=77)))
    connector = NcclConnector(cupy, contextlib.nullcontext())

    def added(team: Team) -> Any:
        backend = SimpleNamespace(name=f"cuda:{team.rank}", connector=lambda: connector)
        team.sharing = 1
        reducer = choose(team, backend, "auto", deterministic=False)
        assert isinstance(reducer, ConnectedReducer)
        arrays = [
            DeviceArray(np.full((2, 3), 1 + team.rank, np.float32)),
            DeviceArray(np.full(4, 1j * (1 + team.rank), np.complex64)),
            DeviceArray(np.full(3, 1.5, np.float64)),
        ]
        reducer.add(backend, arrays)
        return [array.values for array in arrays]

    for found in together(SIZE, added):
        np.testing.assert_array_equal(found[0], np.full((2, 3), 3))
        np.testing.assert_array_equal(found[1], np.full(4, 3j))
        np.testing.assert_array_equal(found[2], np.full(3, 3.0))


def backend_named(name: str, reason: str | None = None) -> Any:
    def connector() -> Any:
        raise ResourceError(reason or "")

    return SimpleNamespace(name=name, connector=connector)


@pytest.mark.parametrize(
    ("name", "way", "deterministic"),
    [("cpu", "auto", False), ("cuda", "auto", True), ("cuda", "host", False), ("cuda", "auto", False)],
)
def test_the_host_adds_where_nothing_else_can_or_bits_must_be_the_same(
    name: str, way: Any, deterministic: bool
) -> None:
    def chosen(team: Team) -> Any:
        return type(choose(team, backend_named(name, "CuPy finds no NCCL"), way, deterministic))

    assert together(SIZE, chosen) == [HostReducer] * SIZE


@pytest.mark.parametrize(
    ("name", "way", "deterministic", "error", "text"),
    [
        ("cuda", "nccl", True, ConfigError, "distributed.reduce: nccl adds in an order of its own"),
        ("cuda", "cuda_aware", True, ConfigError, "distributed.reduce: cuda_aware adds in an order of its own"),
        ("cpu", "nccl", False, ResourceError, "nccl is impossible: rank 0: it computes on the cpu"),
        ("cpu", "cuda_aware", False, ResourceError, "cuda_aware is impossible: rank 0: it computes on the cpu"),
        ("cuda", "nccl", False, ResourceError, "nccl is impossible: rank 0: 2 ranks share cuda"),
    ],
)
def test_what_is_impossible_is_refused_by_name(
    name: str, way: Any, deterministic: bool, error: type[Exception], text: str
) -> None:
    first, _ = together(SIZE, lambda team: choose(team, backend_named(name), way, deterministic))
    assert isinstance(first, error)
    assert text in str(first)


def test_an_mpi_that_reads_devices_waits_for_them_first() -> None:
    def added(team: Team) -> Any:
        waited = []
        backend = SimpleNamespace(name="cuda:0", synchronize=lambda: waited.append(True))
        reducer = choose(team, backend, "cuda_aware", deterministic=False)
        assert isinstance(reducer, DeviceReducer)
        array = np.full(3, 1.0 + team.rank)
        reducer.add(backend, [array])
        return waited, array.tolist()

    assert together(SIZE, added) == [([True], [3.0] * 3)] * SIZE
