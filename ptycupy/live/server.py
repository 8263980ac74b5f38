"""The page's web server: this computer only, one secret address, the standard library's HTTP in threads."""

from __future__ import annotations

import getpass
import hmac
import json
import logging
import secrets
import socket
import sys
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from ptycupy.errors import ConfigError
from ptycupy.live.board import Board
from ptycupy.live.orders import Orders

logger = logging.getLogger(__name__)
HERE = "127.0.0.1"
NAMES = (HERE, "localhost", "[::1]")  # by which a browser here, or at the near end of a tunnel, may call this server
FILES = {
    "": ("index.html", "text/html; charset=utf-8"),
    "icon.svg": ("icon.svg", "image/svg+xml"),
    "style.css": ("style.css", "text/css; charset=utf-8"),
    "page.js": ("page.js", "text/javascript; charset=utf-8"),
    "charts.js": ("charts.js", "text/javascript; charset=utf-8"),
}
FOLDER = Path(__file__).parent / "page"
MOST_STREAMS = 32  # browsers at once
MOST_BYTES = 10_000  # of a request's body
ALIVE_SECONDS = 1.0  # between signs of life on a stream where nothing happens
SLOW_SECONDS = 20.0  # after which a browser that does not take what it is sent is given up
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
STALE = (
    "This address belongs to another run, or is not complete: open the address that this run printed on its terminal.\n"
)


class Page:
    """Serves the page of a run while open; a context manager. `board` is what it shows.

    `port` 0 takes any that is free. Raises ConfigError where the port cannot be had.
    """

    def __init__(self, port: int = 0) -> None:
        self.board = Board()
        self.token = secrets.token_urlsafe(24)
        try:
            self._server = _Server((HERE, port), _Handler)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ConfigError(
                f"--port {port}: cannot be had on {HERE}: {reason}; choose another, or none for one that is free"
            ) from error
        self._server.board, self._server.token = self.board, self.token
        self._server.orders = Orders(self.board)
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True, name="live page")

    @property
    def url(self) -> str:
        """The address, with its secret."""
        return f"http://{HERE}:{self.port}/{self.token}/"

    def stops_by(self, stop: Callable[[str], None]) -> None:
        """`stop(by)` is called where the page says stop."""
        self._server.orders.stop = stop

    def announce(self) -> None:
        """Tells the user where it is, on stderr alone: whoever reads a log file must not learn the secret."""
        print(
            f"ptycupy: live page {self.url}\n"
            f"ptycupy: from another computer: ssh -L {self.port}:{HERE}:{self.port} {_me()}@{socket.gethostname()}, "
            "then the same address there",
            file=sys.stderr,
            flush=True,
        )
        logger.info("live page at port %d", self.port)

    def __enter__(self) -> Page:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.board.end()
        if error is not None:
            self.board.post(state="failed", message=f"{error}" or type(error).__name__)
        self.board.close()
        until = time.monotonic() + 2.0
        while self.board.watching and time.monotonic() < until:  # the last news are on their way
            time.sleep(0.02)
        self._server.shutdown()
        self._server.server_close()


def _me() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container without such a user
        return "USER"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = sys.platform != "win32"  # there it would share a port that is taken
    request_queue_size = 32
    board: Board
    orders: Orders
    token: str

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that went away is no error; anything else is one of ours, which must not end the run."""
        error = sys.exc_info()[1]
        if not isinstance(error, (ConnectionError, TimeoutError)):
            logger.warning("live page: %s", error, exc_info=error)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "ptycupy", ""
    timeout = SLOW_SECONDS

    def do_GET(self) -> None:
        place = self._place()
        if place is None:
            return
        if place == "events":
            self._stream()
        elif place in FILES:
            name, kind = FILES[place]
            self._send(HTTPStatus.OK, (FOLDER / name).read_bytes(), kind)
        elif place.startswith("picture/"):
            look = self.server.board.look
            found = None if look is None else look.picture(place.removeprefix("picture/"))
            if found is None:
                self._text(HTTPStatus.NOT_FOUND, "no such picture\n")
            else:
                self._send(HTTPStatus.OK, found, "image/png")
        else:
            self._text(HTTPStatus.NOT_FOUND, "no such page\n")

    def do_POST(self) -> None:
        place = self._place()
        if place is None:
            return
        if place != "orders":
            self._text(HTTPStatus.NOT_FOUND, "no such page\n")
            return
        # A form of another site cannot send JSON, and a script of another site is told not to.
        if self.headers.get_content_type() != "application/json":
            self._refuse(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "orders are application/json\n")
            return
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > MOST_BYTES:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"orders have a length of up to {MOST_BYTES} bytes\n")
            return
        try:
            order = json.loads(self.rfile.read(int(length)))
            told = self.server.orders.obey(order)
        except (ConfigError, ValueError, RecursionError) as error:
            self._text(HTTPStatus.BAD_REQUEST, f"{error}\n")
        else:
            self._text(HTTPStatus.OK, f"{told}\n")

    # --- who is asking ----------------------------------------------------------------------------------------
    def _place(self) -> str | None:
        """The path below the secret; None, and an answer, for whoever has no business here."""
        host = self.headers.get("Host", "")
        if _name(host) not in NAMES:  # a name of another site that was made to mean this computer
            self._refuse(HTTPStatus.FORBIDDEN, f"this server is called {HERE} or localhost\n")
            return None
        origin = self.headers.get("Origin")
        if origin not in (None, f"http://{host}") or self.headers.get("Sec-Fetch-Site") == "cross-site":
            self._refuse(HTTPStatus.FORBIDDEN, "not from another site\n")
            return None
        path = urlsplit(self.path).path
        _, token, *rest = [*path.split("/", 2), ""][:4]
        if not hmac.compare_digest(token.encode(), self.server.token.encode()):
            self._refuse(HTTPStatus.FORBIDDEN, STALE)
            return None
        if path.count("/") == 1:  # relative addresses need the last slash
            self.send_response(HTTPStatus.PERMANENT_REDIRECT)
            self.send_header("Location", f"/{token}/")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return None
        return rest[0]

    # --- answers ----------------------------------------------------------------------------------------------
    def _stream(self) -> None:
        """Server-sent events: `status` with every news, `look` with new pictures; the newest alone, however slow."""
        board = self.server.board
        with board.changed:
            busy = board.watching >= MOST_STREAMS
            board.watching += not busy
        if busy:
            self._text(HTTPStatus.SERVICE_UNAVAILABLE, f"{MOST_STREAMS} browsers are watching already\n")
            return
        try:
            self._headers(HTTPStatus.OK, "text/event-stream", None)
            seen, shown = -1, 0
            while True:
                news = board.news(seen, ALIVE_SECONDS)
                if self._gone():
                    return
                if news is None:
                    self._write(b": alive\n\n")
                    continue
                seen, status, look = news
                controls = board.controls
                status |= {"controls": None if controls is None else controls.shown()}
                self._event("status", status)
                if look is not None and look.number != shown:
                    shown = look.number
                    self._event("look", look.facts())
                if board.closed:
                    self._event("closed", {})
                    return
                time.sleep(0.1)  # between two, so that a run of quick iterations does not fill the line
        finally:
            with board.changed:
                board.watching -= 1

    def _gone(self) -> bool:
        """Whether the browser has closed the stream, on which it says nothing else."""
        self.connection.settimeout(0)
        try:
            return len(self.connection.recv(1, socket.MSG_PEEK)) == 0
        except BlockingIOError:
            return False
        finally:
            self.connection.settimeout(SLOW_SECONDS)

    def _event(self, name: str, facts: dict[str, Any]) -> None:
        self._write(f"event: {name}\ndata: {json.dumps(facts, allow_nan=False)}\n\n".encode())

    def _write(self, data: bytes) -> None:
        self.wfile.write(data)
        self.wfile.flush()

    def _text(self, status: HTTPStatus, text: str) -> None:
        self._send(status, text.encode(), "text/plain; charset=utf-8")

    def _refuse(self, status: HTTPStatus, text: str) -> None:
        """An answer to a request whose body is not read."""
        self.close_connection = True
        self._text(status, text)

    def _send(self, status: HTTPStatus, body: bytes, kind: str) -> None:
        self._headers(status, kind, len(body))
        self._write(body)

    def _headers(self, status: HTTPStatus, kind: str, length: int | None) -> None:
        self.send_response(status)
        if length is None:
            self.close_connection = True
            self.send_header("Connection", "close")
        else:
            self.send_header("Content-Length", str(length))
        self.send_header("Content-Type", kind)
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: requests have the secret in them."""


def _name(host: str) -> str:
    """The name in a Host header, without its port: a tunnel may have another one."""
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdecimal() else host
