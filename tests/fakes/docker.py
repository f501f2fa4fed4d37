"""Docker's API on a Unix socket, as far as checks ask: ``GET /containers/json`` and
``GET /containers/{id}/json`` with the fields of its documentation, errors as ``{"message": …}``."""

import hashlib
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec


class Engine:
    """Its containers, by name."""

    def __init__(self) -> None:
        self.containers: dict[str, dict[str, Any]] = {}
        self.failing = False

    def container(
        self, name: str, status: str = "running", health: str = "", restarts: int = 0,
        began: timedelta = timedelta(hours=2), exit_code: int = 0,
    ) -> None:  # fmt: skip
        """Put a container there, or change it."""
        at = datetime.now(UTC) - began
        state: dict[str, Any] = {
            "Status": status, "Running": status in ("running", "restarting"), "Paused": status == "paused",
            "Restarting": status == "restarting", "OOMKilled": False, "Dead": status == "dead",
            "Pid": 4242 if status == "running" else 0, "ExitCode": exit_code, "Error": "",
            "StartedAt": f"{at:%Y-%m-%dT%H:%M:%S}.123456789Z", "FinishedAt": "0001-01-01T00:00:00Z",
        }  # fmt: skip
        if health:
            state["Health"] = {"Status": health, "FailingStreak": 3 * (health == "unhealthy"), "Log": []}
        self.containers[name] = {
            "Id": hashlib.sha256(name.encode()).hexdigest(),
            "Name": f"/{name}",
            "State": state,
            "RestartCount": restarts,
        }

    def answer(self, path: str) -> tuple[int, Any]:
        """What it says to a path."""
        parts = urlsplit(path)
        if self.failing:
            return 500, {"message": "driver failed"}
        if parts.path == "/containers/json":
            every = parse_qs(parts.query).get("all") in (["1"], ["true"])
            found = self.containers.values()
            return 200, [_listed(each) for each in found if every or each["State"]["Running"]]
        wanted = parts.path.removeprefix("/containers/").removesuffix("/json")
        for each in self.containers.values():
            if wanted in (each["Id"], each["Name"].lstrip("/")):
                return 200, each
        return 404, {"message": f"No such container: {wanted}"}


def _listed(found: dict[str, Any]) -> dict[str, Any]:
    return {"Id": found["Id"], "Names": [found["Name"]], "State": found["State"]["Status"], "Status": "Up"}


@contextmanager
def docker(folder: Path) -> Iterator[tuple[Engine, str]]:
    """An engine, and the path of its socket."""
    engine, path = Engine(), str(folder / "docker.sock")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = engine.answer(self.path)
            content = msgspec.json.encode(body)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: object) -> None:
            return

    class Server(socketserver.ThreadingUnixStreamServer):
        daemon_threads = True

    server = Server(path, Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield engine, path
    finally:
        server.shutdown()
        server.server_close()
