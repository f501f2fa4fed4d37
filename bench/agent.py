"""What an agent costs: its memory and processor time at rest, and one run of ``push_to_hub``.

``python -m bench.agent --minutes 5`` runs ``tocsin agent`` with all default checks every 60 s against a
server that answers as a hub does. ``--pyz dist/tocsin-agent.pyz`` measures the one file instead.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

import msgspec
import psutil

MEMORY_MB: Final = 45.0
CPU_PERCENT: Final = 0.3
PUSH_SECONDS: Final = 0.5
WARM_UP: Final = 90.0  # the first round comes at a random moment of the first minute


class _Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(202)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *args: object) -> None:
        return


@contextmanager
def hub() -> Iterator[str]:
    """A server that takes all."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Request)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def at_rest(command: list[str], environment: dict[str, str], minutes: float) -> tuple[float, float]:
    """The most resident megabytes, and percent of one core, after it has started."""
    with subprocess.Popen([*command, "agent"], env=environment) as started:
        try:
            process = psutil.Process(started.pid)
            time.sleep(WARM_UP)
            spent, began, resident = sum(process.cpu_times()[:2]), time.monotonic(), 0
            while time.monotonic() - began < minutes * 60:
                resident = max(resident, process.memory_info().rss)
                time.sleep(1)
            busy = sum(process.cpu_times()[:2]) - spent
            return resident / 1_000_000, busy / (time.monotonic() - began) * 100
        finally:
            started.terminate()


def push(command: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Seconds of one run of ``push_to_hub``, and of those the slowest checker's."""
    began = time.monotonic()
    subprocess.run([*command, "push_to_hub"], env=environment, check=True, stdout=subprocess.DEVNULL)
    took = time.monotonic() - began
    dry = [*command, "push_to_hub", "--dry-run"]
    said = subprocess.run(dry, env=environment, check=True, stdout=subprocess.PIPE).stdout
    document = msgspec.json.decode(said)
    ends = [datetime.fromisoformat(alert["checked_at"]) for alert in document["alerts"]]
    return took, (max(ends) - min(ends)).total_seconds()


def main() -> None:
    """Measure and print; ends with 1 where a bound is passed."""
    parser = argparse.ArgumentParser(prog="bench.agent", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5, help="to watch it at rest")
    parser.add_argument("--pushes", type=int, default=10, help="runs of push_to_hub")
    parser.add_argument("--pyz", default="", help="the one file, instead of this checkout")
    options = parser.parse_args()
    command = [sys.executable, "-S", options.pyz] if options.pyz else [sys.executable, "-m", "tocsin"]
    with hub() as url, tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "HUB_URL": url, "TOCSIN_DATA_DIR": folder}
        pushed = [push(command, environment) for _ in range(options.pushes)]
        took = statistics.median(whole for whole, _ in pushed)
        checks = statistics.median(sampling for _, sampling in pushed)
        print(f"push_to_hub: median {took:.2f} s, of which {checks:.2f} s are the checks' own", flush=True)
        resident, busy = at_rest(command, environment, options.minutes)
        spooled = len(list(Path(folder).rglob("*.round")))
    print(f"at rest: {resident:.1f} MB resident, {busy:.2f} % of one core over {options.minutes:g} min")
    print(f"left in the spool: {spooled}")
    good = took - checks <= PUSH_SECONDS and resident <= MEMORY_MB and busy <= CPU_PERCENT
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
