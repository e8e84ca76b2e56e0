"""Stands in for EventsAir's GraphQL API, with what happens at a real one: to try the consumer without an account.

Takes questions as the consumer asks them. Gives a made-up registration for any ID, but for those that begin with `gone`
(there is none) or `broken` (500). Every fifth is answered 503 at first; an access token is good for 40 questions.
"""

import argparse
import json
import threading
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

USES_OF_A_TOKEN = 40

_lock = threading.Lock()
_uses: dict[str, int] = {}
_asked: dict[str, int] = {}


def registration(event: str, asked: str) -> dict:
    kind = ["Early", "Regular", "Staff"][zlib.crc32(asked.encode()) % 3]
    return {
        "name": f"Event {event}",
        "registration": {
            "id": asked,
            "dateTime": "2026-01-01T12:00:00Z",
            "contact": {"id": f"c-{asked}", "firstName": f"First {asked}", "lastName": f"Last {asked}"},
            "type": {"name": kind},
        },
    }


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.path == "/token":
            with _lock:
                token = f"token-{len(_uses)}"
                _uses[token] = 0
            self._answer(200, {"access_token": token, "expires_in": 3600})
            return
        token = self.headers.get("authorization", "").removeprefix("Bearer ")
        asked = json.loads(body)["variables"]
        with _lock:
            is_good = _uses.get(token, USES_OF_A_TOKEN) < USES_OF_A_TOKEN
            if is_good:
                _uses[token] += 1
                _asked[asked["registration"]] = _asked.get(asked["registration"], 0) + 1
            is_first = _asked.get(asked["registration"]) == 1
        self._judge(is_good, is_first, asked["event"], asked["registration"])

    def _judge(self, is_good: bool, is_first: bool, event: str, asked: str) -> None:
        if not is_good:
            self._answer(401, {})
        elif is_first and zlib.crc32(asked.encode()) % 5 == 0:
            self._answer(503, {}, {"retry-after": "0"})
        elif asked.startswith("broken"):
            self._answer(500, {"data": {}, "errors": [{"message": "it can't be read"}]})
        elif asked.startswith("gone"):
            self._answer(200, {"data": {"event": {"name": f"Event {event}", "registration": None}}})
        else:
            self._answer(200, {"data": {"event": registration(event, asked)}})

    def _answer(self, status: int, answer: dict, headers: dict | None = None) -> None:
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Stands in for EventsAir's GraphQL API.")
    parser.add_argument("--port", type=int, default=4000, help="0 takes a free one")
    server = ThreadingHTTPServer(("127.0.0.1", parser.parse_args().port), Handler)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
