"""A receiver on this machine, so that the demo's messages arrive somewhere: one line each."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

import msgspec

from tocsin.core import clock
from tocsin.core.terminal import Screen, styled
from tocsin.notify.message import Message

_decode: Final = msgspec.json.Decoder(Message).decode


@contextmanager
def sink(screen: Screen) -> Iterator[str]:
    """A sink on a free loopback port that shows each message it gets; gives its URL."""
    one_line_at_a_time = threading.Lock()

    class Request(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # head and body of an answer are two writes

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            with one_line_at_a_time:
                show(_decode(body), screen)
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *args: object) -> None:
            """The line that shows the message is log enough."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Request)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="sink", daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


def show(message: Message, screen: Screen) -> None:
    """One message as one line."""
    count = f"({message.firing} firing)" if message.firing > 1 else ""
    screen.line(
        (f"{clock.now():%H:%M:%S}", "dim"),
        ("demo", "dim"),
        (f"{message.kind.upper():<8}", styled(message.kind)[1]),
        (f"{message.severity:<8}", styled(message.severity)[1]),
        (message.title, "bold"),
        count,
        message.text,
        (message.url, "dim"),
    )
