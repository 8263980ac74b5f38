"""What ranks do together: dealing, adding, gathering, agreeing, and failing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from thread_ranks import together

from ptycupy import backends
from ptycupy.distributed.handshake import shake
from ptycupy.distributed.team import RankFailure, Team, alone
from ptycupy.errors import DataError, DivergenceError, MemoryShortage, ResourceError

BACKEND = backends.select("cpu", "float32")


@pytest.mark.parametrize("alternating", [False, True])
def test_every_position_has_one_rank(alternating: bool) -> None:
    used = np.array([1, 2, 3, 5, 8, 13, 21], np.int32)

    def dealt(team: Team) -> Any:
        team.deal(used, alternating)
        return team.here

    parts = together(3, dealt)
    assert sorted(np.concatenate(parts)) == used.tolist()
    assert [len(part) for part in parts] == [3, 2, 2]
    assert parts[0].tolist() == ([1, 5, 21] if alternating else [1, 2, 3])


def test_own_keeps_the_order_of_the_batch() -> None:
    team = alone()
    team.give([np.array([2, 4, 6], np.int32)])
    assert team.own(np.array([6, 1, 2, 3], np.int32)).tolist() == [6, 2]


def test_sums_of_arrays_of_any_kind_are_the_same_bits_everywhere() -> None:
    random = np.random.default_rng(0)
    parts = [
        (random.normal(size=(3, 5)).astype(np.float32), (random.normal(size=4) + 1j).astype(np.complex64))
        for _ in "abc"
    ]
    doubles = [random.normal(size=3) for _ in "abc"]

    def added(team: Team) -> Any:
        arrays = [part.copy() for part in parts[team.rank]]
        statistics = doubles[team.rank].copy()
        team.add(BACKEND, arrays)
        team.add(BACKEND, [statistics])
        return [*arrays, statistics]

    found = together(3, added)
    for rank in found[1:]:
        for a, b in zip(found[0], rank, strict=True):
            assert a.tobytes() == b.tobytes()
    for i in range(2):
        np.testing.assert_array_equal(found[0][i], (parts[0][i] + parts[1][i]) + parts[2][i])
    np.testing.assert_array_equal(found[0][2], (doubles[0] + doubles[1]) + doubles[2])


def test_rows_come_from_their_own_rank_and_the_rest_from_the_first() -> None:
    def moved(team: Team) -> Any:
        team.deal(np.arange(4, dtype=np.int32), alternating=True)
        rows = np.full((5, 2), team.rank, np.float32)
        rows[4] = 7.5  # of a position that nobody has
        common = np.full(3, team.rank, np.complex64)
        team.gather(BACKEND, [rows])
        team.agree(BACKEND, [common])
        return rows[:, 0].tolist(), common.real.tolist(), team.any(team.rank == 1)

    assert together(2, moved) == [([0, 1, 0, 1, 7.5], [0, 0, 0], True)] * 2


def test_what_one_rank_fails_with_all_raise() -> None:
    def work(team: Team) -> None:
        if team.rank == 1:
            raise DataError("scan.h5: shortened")
        team.add(BACKEND, [np.zeros(2, np.float32)])

    first, second, third = together(3, work)
    assert isinstance(second, DataError)
    assert not second.told
    for other in (first, third):
        assert isinstance(other, RankFailure)
        assert other.told
        assert other.exit_code == DataError.exit_code
        assert "rank 1 failed: DataError: scan.h5: shortened" in str(other)


def test_what_all_fail_with_the_first_one_tells() -> None:
    def work(team: Team) -> None:
        raise DivergenceError("the loss became nan")

    first, second = together(2, work)
    assert isinstance(first, DivergenceError)
    assert isinstance(second, RankFailure)
    assert (second.told, second.exit_code) == (True, 5)


def test_a_failure_in_the_last_moment_is_heard() -> None:
    def work(team: Team) -> str:
        if team.rank == 0:
            raise OSError("no space left")
        return "done"

    first, second = together(2, work)
    assert isinstance(first, OSError)
    assert isinstance(second, RankFailure)
    assert second.exit_code == 1


def test_a_shortage_is_a_failure_only_where_nobody_takes_it() -> None:
    def work(team: Team) -> str:
        try:
            if team.rank == 1:
                raise MemoryShortage("little")
            team.add(BACKEND, [np.zeros(2, np.float32)])
        except MemoryShortage as error:
            team.report(error)
        team.add(BACKEND, [np.zeros(2, np.float32)])
        return "again"

    assert together(3, work) == ["again"] * 3


def test_the_handshake_names_rank_and_difference() -> None:
    def work(team: Team) -> None:
        size = 8 if team.rank == 2 else 4
        shake(team, {"version": "1", "configuration": f"a: 1\nbatch_size: {size}\nb: 2"})

    found = together(3, work)
    assert isinstance(found[0], ResourceError)
    assert [error.exit_code for error in found] == [4, 4, 4]
    assert [error.told for error in found] == [False, True, True]
    assert "rank 2 (on " in str(found[0])
    assert "configuration: batch_size: 8 there, batch_size: 4 here" in str(found[0])
