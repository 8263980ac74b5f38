"""Who counts as dead, where ranks come late and leave at their own pace."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable
from typing import Any

import pytest

from ptycupy.distributed import watchdog
from ptycupy.distributed.watchdog import BYE, Watchdog

HERE = "127.0.0.1"


class Pair:
    """The Comm of one of two ranks on this host; `other` says what the other one gives in exchange for a thing."""

    size = local_size = 2

    def __init__(self, rank: int, other: Callable[[Any], Any]) -> None:
        self.rank = self.local_rank = rank
        self._other = other

    def exchange(self, thing: Any) -> list[Any]:
        given = self._other(thing)
        return [thing, given] if self.rank == 0 else [given, thing]


@pytest.fixture
def died(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, str]]:
    """Whose death would have ended this process."""
    found: list[tuple[int, str]] = []
    monkeypatch.setattr(Watchdog, "_die", lambda self, rank, why: found.append((rank, why)))
    return found


def leaving(words: bytes, *, greets: bool = True) -> Callable[[Any], Any]:
    """Rank 1: it connects, greets, says these words and is gone, without having read what it was told."""

    def other(thing: Any) -> Any:
        if isinstance(thing, tuple):  # rank 0's address
            _, port, token = thing
            peer = socket.create_connection((HERE, port))
            peer.sendall(token + (1).to_bytes(4, "big") + words if greets else words)
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            peer.close()
        return []

    return other


def watched(comm: Pair, died: list[tuple[int, str]], seconds: float) -> Watchdog:
    """A watchdog that watched for so many seconds, or until somebody died."""
    dog = Watchdog(comm, 30.0)  # type: ignore[arg-type]
    with dog:
        until = time.monotonic() + seconds
        while not died and time.monotonic() < until:
            time.sleep(0.01)
    return dog


def test_a_rank_that_said_goodbye_is_not_dead_though_it_cannot_be_told_anything(died: list[tuple[int, str]]) -> None:
    watched(Pair(0, leaving(BYE)), died, 0.5)
    assert died == []


def test_a_rank_that_left_without_a_word_is_dead(died: list[tuple[int, str]]) -> None:
    watched(Pair(0, leaving(b"")), died, 10.0)
    assert died[0] == (1, "is gone")


def test_a_rank_that_did_not_greet_is_not_watched(
    died: list[tuple[int, str]], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(watchdog, "CONNECT", 0.3)
    watched(Pair(0, leaving(b"", greets=False)), died, 0.1)
    assert "ranks [1] cannot reach rank 0" in caplog.text
    assert died == []


def test_nor_does_it_watch_the_rank_that_did_not_hear_it(died: list[tuple[int, str]]) -> None:
    with socket.create_server((HERE, 0)) as listener:

        def other(thing: Any) -> Any:
            if thing is None:
                return [HERE], listener.getsockname()[1], b"token"
            listener.accept()[0].close()
            return []  # whom it heard

        watched(Pair(1, other), died, 0.5)
    assert died == []
