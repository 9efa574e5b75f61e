"""A stand-in for the info API on loopback: true answers, and misbehaviour on command."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Body = dict[str, Any]
Answer = Callable[[Body], Any]


class Fault:
    """One answer that is not as it should be.

    Parameters
    ----------
    kind : of request that it strikes; "" for any
    status : of the answer
    headers : of the answer, besides the usual ones
    text : in place of the answer
    cut : send only so many bytes of a longer answer, and hang up
    stall_s : wait before the answer
    reset : hang up without an answer
    change : makes another answer of the true one
    """

    def __init__(
        self,
        kind: str = "",
        *,
        status: int = 200,
        headers: dict[str, str] | None = None,
        text: str | None = None,
        cut: int | None = None,
        stall_s: float = 0.0,
        reset: bool = False,
        change: Callable[[Any], Any] | None = None,
    ) -> None:
        self.kind, self.status, self.headers, self.text = kind, status, headers or {}, text
        self.cut, self.stall_s, self.reset, self.change = cut, stall_s, reset, change


class Api:
    """What the server answers, what it was asked, and what goes wrong next."""

    def __init__(self, answer: Answer, now_ms: int | None) -> None:
        self.answer, self.now_ms = answer, now_ms
        self.asked: list[Body] = []
        self.faults: deque[Fault] = deque()
        self.always: Fault | None = None  # strikes every request that no other one strikes
        self.url = ""

    def next_fault(self, body: Body) -> Fault | None:
        """The fault that strikes this request, taken off the list."""
        for fault in self.faults:
            if fault.kind in ("", body.get("type")):
                self.faults.remove(fault)
                return fault
        if self.always is not None and self.always.kind in ("", body.get("type")):
            return self.always
        return None

    def asked_for(self, kind: str) -> list[Body]:
        """Requests of one type, in their order."""
        return [body for body in self.asked if body["type"] == kind]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    api: Api

    def handle_error(self, *_: object) -> None:
        """Say nothing: clients that are killed hang up in the middle."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def date_time_string(self, timestamp: float | None = None) -> str:
        now_ms = self.server.api.now_ms
        now_s = time.time() if now_ms is None else now_ms / 1_000
        return formatdate(now_s if timestamp is None else timestamp, usegmt=True)

    def do_POST(self) -> None:
        api = self.server.api
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        api.asked.append(body)
        fault = api.next_fault(body)
        if self.path != "/info" or self.headers["Content-Type"] != "application/json":
            self._send(415, b"")
            return
        if fault is None:
            self._answer(body)
            return
        time.sleep(fault.stall_s)
        if fault.reset:
            self._hang_up()
            return
        content = self._content(api, body, fault)
        self._send(fault.status, content, fault.headers, fault.cut)

    def _content(self, api: Api, body: Body, fault: Fault) -> bytes:
        if fault.text is not None:
            return fault.text.encode()
        answer = api.answer(body)
        return json.dumps(answer if fault.change is None else fault.change(answer)).encode()

    def _answer(self, body: Body) -> None:
        answer = self.server.api.answer(body)
        # As the API does: an unknown coin or dex is a fault of the server's, an unknown type is not
        if answer is None:
            self._send(500, b"null")
        elif answer is NotImplemented:
            self._send(422, b"Failed to deserialize the JSON body into the target type")
        else:
            self._send(200, json.dumps(answer).encode())

    def _send(
        self,
        status: int,
        content: bytes,
        headers: dict[str, str] | None = None,
        cut: int | None = None,
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content[:cut])
        if cut is not None:
            self.wfile.flush()
            self._hang_up()

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def serving(answer: Answer, now_ms: int | None) -> Iterator[Api]:
    """Serve on a free port of this machine while the block runs."""
    api = Api(answer, now_ms)
    server = _Server(("127.0.0.1", 0), _Handler)
    server.api = api
    api.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
