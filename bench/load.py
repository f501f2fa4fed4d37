"""Load: wrk where it is installed, else a generator of our own (slower, so that it limits both)."""

import asyncio
import http.client
import itertools
import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

WRK = shutil.which("wrk")
CONNECTIONS = 16
_LUA = Path(__file__).parent / "lua"


def alert(instance: str, **fields: Any) -> dict[str, Any]:
    """An alert as Prometheus posts it."""
    return {
        "labels": {"alertname": "DiskFull", "instance": instance, "severity": "critical", "job": "node"},
        "annotations": {"summary": "Less than 5 % left on /var"},
        "generatorURL": "http://prometheus.example/graph",
        **fields,
    }


def run(kind: str, port: int, seconds: int) -> tuple[float, int]:
    """Load a server for so long; return requests a second and how many were accepted.

    Raises RuntimeError when one was not.
    """
    return _wrk(kind, port, seconds) if WRK else asyncio.run(_own(kind, port, seconds))


def _wrk(kind: str, port: int, seconds: int) -> tuple[float, int]:
    script = str(_LUA / f"{kind}.lua")
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "30s", "-s", script]
    said = subprocess.run(
        [*command, f"http://127.0.0.1:{port}"], check=True, capture_output=True, text=True
    ).stdout
    if "Non-2xx" in said:
        raise RuntimeError(f"not all posts were accepted:\n{said}")
    rate = re.search(r"Requests/sec: +([\d.]+)", said)
    count = re.search(r"(\d+) requests in", said)
    assert rate and count, said
    return float(rate[1]), int(count[1])


def _bodies(kind: str) -> Iterator[bytes]:
    number = itertools.count()
    if kind == "resent":
        again = [
            json.dumps([alert(f"again-{g}-{i}", startsAt="2026-11-21T03:00:00Z") for i in range(64)]).encode()
            for g in range(10)
        ]
        yield from itertools.cycle(again)
    size = 100 if kind == "batch" else 1
    while True:
        yield json.dumps([alert(f"{kind}-{next(number)}") for _ in range(size)]).encode()


async def _own(kind: str, port: int, seconds: int) -> tuple[float, int]:
    bodies, began, accepted = _bodies(kind), time.monotonic(), 0

    async def one() -> None:
        nonlocal accepted
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.monotonic() - began < seconds:
            body = next(bodies)
            writer.write(_request(body))
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 2"):
                raise RuntimeError(f"not accepted: {head!r}")
            length = re.search(rb"(?i)content-length: *(\d+)", head)
            await reader.readexactly(int(length[1]) if length else 0)
            accepted += 1
        writer.close()

    await asyncio.gather(*(one() for _ in range(CONNECTIONS)))
    return accepted / (time.monotonic() - began), accepted


def _request(body: bytes) -> bytes:
    head = "POST /api/v2/alerts HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def post_all(port: int, count: int, size: int, name: Callable[[int], str]) -> None:
    """Post ``count`` distinct alerts, ``size`` a post, over one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    for start in range(0, count, size):
        post(connection, [alert(name(i)) for i in range(start, min(count, start + size))])
    connection.close()


def post(connection: http.client.HTTPConnection, alerts: list[dict[str, Any]]) -> None:
    """Post alerts; raises RuntimeError when they are not accepted."""
    connection.request("POST", "/api/v2/alerts", json.dumps(alerts), {"Content-Type": "application/json"})
    response = connection.getresponse()
    response.read()
    if response.status >= 300:
        raise RuntimeError(f"not accepted: HTTP {response.status}")
