"""A server on 127.0.0.1 that answers as a language model would, or as a test wants it to misbehave."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple


class Reply(NamedTuple):
    """What the server answers a request."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = {}  # noqa: RUF012 - never changed
    promised: int | None = None  # bytes that the header announces; more than there are: cut short


class Stub(NamedTuple):
    """A running server."""

    url: str
    asked: list[dict]  # of each request: path, headers, body


def said(content: object) -> Reply:
    """A chat completion with this content."""
    return Reply(json.dumps({"choices": [{"message": {"role": "assistant", "content": content}}]}).encode())


def findings(**lists: list[str]) -> Reply:
    """An answer in the form that is asked for."""
    return said(json.dumps({"present": [], "absent": [], "uncertain": []} | lists))


@contextmanager
def serving(answer: Callable[[dict], Reply]) -> Iterator[Stub]:
    """`answer` gets each request (path, headers, body, and how many were before it)."""
    asked: list[dict] = []
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                request = {"path": self.path, "headers": dict(self.headers), "body": body, "before": len(asked)}
                asked.append(request)
            reply = answer(request)
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(reply.promised or len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        def do_GET(self) -> None:  # a redirect that was followed would come as one
            asked.append({"path": self.path, "method": "GET"})
            self.send_error(405)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield Stub(f"http://127.0.0.1:{server.server_port}/v1", asked)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def report_of(request: dict) -> str:
    """The report that a request is about."""
    content = request["body"]["messages"][-1]["content"]
    return content.split("Report:\n")[1].split("\nFindings:")[0] if "Report:\n" in content else content


def is_second(request: dict) -> bool:
    """Whether it asks to verify findings."""
    return "Findings:" in request["body"]["messages"][-1]["content"]
