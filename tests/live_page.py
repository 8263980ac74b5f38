"""A live page under test: the tiny run in a thread, and requests to its page as a browser makes them."""

import contextlib
import http.client
import json
import re
import threading
import time
from types import SimpleNamespace

import tiny_run

from ptycupy import reconstruct
from ptycupy.api import session
from ptycupy.live import server


class Running:
    """reconstruct(..., live=True), or another `call`, in a thread; `result` once it has ended."""

    def __init__(self, config, monkeypatch, call=reconstruct, **keywords):
        self.page = None
        self.result = self.error = None
        made = server.Page

        def note(*given, **named):
            self.page = made(*given, **named)
            return self.page

        monkeypatch.setattr(session, "Page", note)
        self.thread = threading.Thread(target=self._run, args=(call, config, keywords))
        self.thread.start()
        until(lambda: self.page is not None or self.error is not None)

    def _run(self, call, config, keywords):
        try:
            self.result = call(config, backend="cpu", live=True, **keywords)
        except Exception as error:  # the test looks at it
            self.error = error

    def ask(self, path, method="GET", body=None, **headers):
        return ask(self.page, path, method, body, **headers)

    def order(self, **what):
        """(status, answer) of an order."""
        return order(self.page, **what)

    def status(self):
        return events(self.page)["status"]

    def end(self):
        self.thread.join(60)
        assert not self.thread.is_alive()
        assert self.error is None, self.error
        return self.result


@contextlib.contextmanager
def running(config, monkeypatch, **keywords):
    tiny_run.without_pictures(monkeypatch)
    run = Running(config, monkeypatch, **keywords)
    try:
        yield run
    finally:
        if run.thread.is_alive() and run.page.board.controls is not None:
            run.order(do="stop")
        run.thread.join(60)


def announced(stderr):
    """The page of a run in a process of its own, from where it tells its address."""
    for line in stderr:
        if match := re.search(r"http://127\.0\.0\.1:(\d+)/([^/]+)/", line):
            return SimpleNamespace(port=int(match[1]), token=match[2], board=SimpleNamespace(watching=0))
    raise AssertionError("it ended without an address")


def order(page, **what):
    """(status, answer) of an order to a page."""
    return ask(page, "orders", "POST", json.dumps(what), Content_Type="application/json")


def ask(page, path, method="GET", body=None, *, token=None, **headers):
    """(status, text) of a request below the page's secret, or below another `token`."""
    connection = http.client.HTTPConnection("127.0.0.1", page.port, timeout=10)
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        connection.request(method, f"/{page.token if token is None else token}/{path}", body, headers)
        reply = connection.getresponse()
        return reply.status, reply.read()
    finally:
        connection.close()


def events(page, wanted=("status",), seconds=60, enough=lambda found: True):
    """The newest event of each wanted kind, as parsed JSON by name, once there are `enough`."""
    until(lambda: page.board.watching < 8)  # the server notices within a second that a stream was closed
    connection = http.client.HTTPConnection("127.0.0.1", page.port, timeout=seconds)
    found, name = {}, None
    try:
        connection.request("GET", f"/{page.token}/events")
        reply = connection.getresponse()
        assert reply.status == 200
        assert reply.headers["Content-Type"] == "text/event-stream"
        while not (set(wanted) <= found.keys() and enough(found)):
            line = reply.readline().decode().rstrip("\n")
            if match := re.fullmatch("event: (.*)", line):
                name = match[1]
            elif match := re.fullmatch("data: (.*)", line):
                found[name] = json.loads(match[1])
        return found
    finally:
        connection.close()


def until(met, seconds=60):
    """Waits for a condition; fails where it is not met in time."""
    end = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)
