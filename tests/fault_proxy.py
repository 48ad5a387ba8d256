"""A proxy that makes network faults: it drops, truncates, delays or refuses answers.

    python fault_proxy.py SERVER_URL      prints its own port, then serves until it is ended

Faults are queued with `POST /__faults` (JSON: kind, times, match, every, seconds, status, code) and
meet the GETs whose path holds `match`; `GET /__counts` tells requests by method, bytes of answers'
bodies, and faults that were made; `DELETE /__faults` forgets all.
"""

from __future__ import annotations

import http.client
import json
import socket
import sys
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from urllib.parse import urlsplit

CONTROL = "/__"
PIECES = 10
PASSED_ON = {
    "content-type",
    "content-range",
    "accept-ranges",
    "etag",
    "last-modified",
    "x-amz-bucket-region",
    "location",
}


@dataclass
class Fault:
    """One kind of failure, for the next `times` requests that match, or for each `every`-th of them
    without end."""

    kind: str
    times: int = 1
    match: str = ""
    every: int = 0
    seconds: float = 1.0
    status: int = 503
    code: str = "SlowDown"
    met: int = 0

    def meets(self, path: str) -> bool:
        if self.match not in path:
            return False
        self.met += 1
        return self.met % self.every == 0 if self.every else self.met <= self.times


class State:
    """What the handler's threads share."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.forget()

    def forget(self) -> None:
        self.faults: list[Fault] = []
        self.requests: dict[str, int] = {}
        self.body_bytes = 0
        self.made = 0

    def fault_for(self, method: str, path: str) -> Fault | None:
        with self.lock:
            self.requests[method] = self.requests.get(method, 0) + 1
            met = next(
                (fault for fault in self.faults if method == "GET" and fault.meets(path)), None
            )
            self.made += met is not None
            return met


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    upstream = ""
    state = State()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 the base class names it so
        """Say nothing."""

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("content-length") or 0))

    def _answer(
        self,
        status: int,
        body: bytes,
        headers: dict[str, str] | None = None,
        *,
        sent: int | None = None,
    ) -> None:
        """Announce all of a body and send the first `sent` bytes of it."""
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if "content-length" not in {name.lower() for name in headers or {}}:
            self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if sent is None else body[:sent])
        self.wfile.flush()

    def _trickle(self, status: int, headers: dict[str, str], body: bytes, seconds: float) -> None:
        """Send a body in `PIECES`, over a time."""
        self._answer(status, body, headers, sent=0)
        size = -(-len(body) // PIECES)
        for start in range(0, len(body), size):
            time.sleep(seconds / PIECES)
            self.wfile.write(body[start : start + size])
            self.wfile.flush()

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _control(self) -> None:
        state = self.state
        with state.lock:
            if self.command == "POST":
                state.faults.append(Fault(**json.loads(self._body())))
            elif self.command == "DELETE":
                state.forget()
            counts = {
                "requests": state.requests,
                "body_bytes": state.body_bytes,
                "faults": state.made,
            }
        self._answer(200, json.dumps(counts).encode())

    def _serve(self) -> None:
        if self.path.startswith(CONTROL):
            self._control()
            return
        content = self._body()
        fault = self.state.fault_for(self.command, self.path)
        kind = fault.kind if fault else ""
        if fault and kind == "drop":
            self._hang_up()
            return
        if fault and kind == "status":
            error = (
                '<?xml version="1.0" encoding="UTF-8"?>'
                f"<Error><Code>{fault.code}</Code><Message>as asked</Message></Error>"
            )
            self._answer(fault.status, error.encode(), {"content-type": "application/xml"})
            return
        if fault and kind == "slow":
            time.sleep(fault.seconds)
        status, headers, body = self._forward(content)
        half = len(body) // 2 if fault and kind in {"truncate", "stall"} else None
        with self.state.lock:
            self.state.body_bytes += len(body) if half is None else half
        if fault and kind == "trickle":
            self._trickle(status, headers, body, fault.seconds)
        else:
            self._answer(status, body, headers, sent=half)
        if fault and kind == "stall":
            time.sleep(fault.seconds)
        if half is not None:
            self._hang_up()

    def _forward(self, content: bytes) -> tuple[int, dict[str, str], bytes]:
        upstream = http.client.HTTPConnection(urlsplit(self.upstream).netloc, timeout=60)
        try:
            upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():  # the host too: it is signed
                upstream.putheader(name, value)
            upstream.endheaders(content or None)
            answer = upstream.getresponse()
            body = answer.read()
            headers = {
                name: value for name, value in answer.getheaders() if name.lower() in PASSED_ON
            }
            if self.command == "HEAD":
                headers["content-length"] = answer.getheader("content-length") or "0"
        finally:
            upstream.close()
        return answer.status, headers, body

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _serve  # noqa: N815 the base class looks for these


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hung up is no error of the proxy."""


if __name__ == "__main__":
    Handler.upstream = sys.argv[1]
    server = Server(("127.0.0.1", 0), Handler)
    sys.stdout.write(f"{server.server_address[1]}\n")
    sys.stdout.flush()
    server.serve_forever()
