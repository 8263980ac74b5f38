"""The watchdog: notices that a rank has died, and ends this process too.

MPI cannot: whoever waits for a message of a process that is gone waits for ever. Every rank therefore has a TCP
connection with rank 0, beside MPI, over which both say once a second that they are there. The system closes the
connection of a process that ends, however it ends; of a host that fails it falls silent.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import selectors
import socket
import threading
import time
from types import TracebackType
from typing import Any

from ptycupy.distributed.comm import Comm
from ptycupy.errors import ResourceError

logger = logging.getLogger(__name__)
BEAT, BYE = b".", b"q"
INTERVAL = 1.0  # seconds between two beats
CONNECT = 20.0  # seconds that a rank tries to reach rank 0


class Watchdog:
    """While open, the death of a rank ends this process at once with the exit code of a ResourceError.

    `seconds` of silence count as death; None watches for nothing. `left` says what is left to go on from.
    """

    def __init__(self, comm: Comm, seconds: float | None, left: str = "") -> None:
        self._comm = comm
        self._seconds = seconds
        self.left = left
        self._peers: dict[socket.socket, int] = {}
        self._heard: dict[int, float] = {}
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Watchdog:
        if self._comm.size > 1 and self._seconds is not None:
            self._connect()
            self._heard = dict.fromkeys(self._peers.values(), time.monotonic())
            self._thread = threading.Thread(target=self._watch, name="ptycupy watchdog", daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
        for peer in self._peers:
            with contextlib.suppress(OSError):  # it has said goodbye and gone
                peer.sendall(BYE)
            peer.close()
        self._peers.clear()

    # --- connections --------------------------------------------------------------------------------------------
    def _connect(self) -> None:
        listener = socket.create_server(("", 0)) if self._comm.rank == 0 else None
        address = None
        if listener is not None:
            address = _addresses(), listener.getsockname()[1], secrets.token_bytes(16)
        hosts, port, token = self._comm.exchange(address)[0]
        if self._comm.local_size == self._comm.size:
            hosts = ["127.0.0.1"]
        if listener is None:
            peer = _reach(hosts, port)
            if peer is not None:
                peer.sendall(token + self._comm.rank.to_bytes(4, "big"))
                self._peers[peer] = 0
        else:
            with listener:
                self._accept(listener, token)
        greeted = self._comm.exchange(sorted(self._peers.values()))[0]
        missing = sorted(set(range(1, self._comm.size)) - set(greeted))
        if self._comm.rank in missing:  # rank 0 does not hear it: the end of this connection would mean nothing
            for peer in self._peers:
                peer.close()
            self._peers.clear()
        if missing and self._comm.rank == 0:
            logger.warning(
                "watchdog: ranks %s cannot reach rank 0 at %s, port %d; if one of them dies, the others wait for it",
                missing, " or ".join(hosts), port,
            )  # fmt: skip

    def _accept(self, listener: socket.socket, token: bytes) -> None:
        """Connections of the other ranks; whoever does not know the token is none."""
        until = time.monotonic() + CONNECT
        while len(self._peers) < self._comm.size - 1 and time.monotonic() < until:
            listener.settimeout(max(0.01, until - time.monotonic()))
            try:
                peer, _ = listener.accept()
            except OSError:
                continue
            greeting = b""
            with contextlib.suppress(OSError):
                peer.settimeout(INTERVAL)
                greeting = peer.recv(len(token) + 4, socket.MSG_WAITALL)
            if len(greeting) == len(token) + 4 and secrets.compare_digest(greeting[:-4], token):
                self._peers[peer] = int.from_bytes(greeting[-4:], "big")
            else:
                peer.close()

    # --- watching -------------------------------------------------------------------------------------------------
    def _watch(self) -> None:
        with selectors.DefaultSelector() as selector:
            for peer in self._peers:
                peer.setblocking(False)
                selector.register(peer, selectors.EVENT_READ)
            due = time.monotonic()
            while not self._ended.is_set():
                if time.monotonic() >= due:
                    due = time.monotonic() + INTERVAL
                    for key in list(selector.get_map().values()):
                        self._say(key.fileobj)
                for key, _ in selector.select(0.1):
                    if not self._listen(key.fileobj):
                        selector.unregister(key.fileobj)
                for key in selector.get_map().values():
                    rank = self._peers[key.fileobj]  # type: ignore[index]
                    silent = time.monotonic() - self._heard[rank]
                    if self._seconds is not None and silent > self._seconds:
                        self._die(rank, f"has said nothing for {silent:.0f} s")

    def _say(self, peer: Any) -> None:
        try:
            peer.send(BEAT)
        except OSError:  # what it said last, goodbye maybe, is still to be heard: `_listen` tells whether it is gone
            return

    def _listen(self, peer: Any) -> bool:
        """False where the rank has said goodbye."""
        rank = self._peers[peer]
        try:
            words = peer.recv(4096)
        except BlockingIOError:
            return True
        except OSError:
            words = b""
        if BYE in words:
            return False
        if not words:
            self._die(rank, "is gone")
        self._heard[rank] = time.monotonic()
        return True

    def _die(self, rank: int, why: str) -> None:
        if self._ended.is_set():
            return
        text = f"rank {rank} {why}; rank {self._comm.rank} stops too{f'. {self.left}' if self.left else ''}"
        os.write(2, f"ptycupy: error: {text}\n".encode())
        # The main thread may hold the log's lock for ever.
        log = threading.Thread(target=logger.error, args=(text,), kwargs={"extra": {"file_only": True}}, daemon=True)
        log.start()
        log.join(1.0)
        os._exit(ResourceError.exit_code)


def _addresses() -> list[str]:
    """Names and numbers by which other hosts may know this one."""
    names = [socket.gethostname(), socket.getfqdn()]
    for name in names[:]:
        try:
            names += [str(entry[4][0]) for entry in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)]
        except OSError:
            continue
    return [name for name in dict.fromkeys(names) if not name.startswith("127.") and name not in ("localhost", "::1")]


def _reach(hosts: list[str], port: int) -> socket.socket | None:
    until = time.monotonic() + CONNECT
    while time.monotonic() < until:
        for host in hosts:
            try:
                return socket.create_connection((host, port), timeout=2.0)
            except OSError:
                continue
        time.sleep(0.1)
    return None


__all__ = ["Watchdog"]
