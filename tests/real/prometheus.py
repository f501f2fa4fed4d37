"""A real Prometheus (and Alertmanager), with a target whose one metric the test sets."""

import json
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.installed import require
from tests.processes import free_port

RULES = {
    "groups": [
        {
            "name": "shop",
            "interval": "1s",
            "rules": [
                {
                    "alert": "CheckoutDown",
                    "expr": "checkout_up == 0",
                    "labels": {"severity": "critical"},
                    "annotations": {"summary": "Checkout on {{ $labels.instance }} is down"},
                }
            ],
        }
    ]
}


class Target:
    """Something to scrape."""

    def __init__(self) -> None:
        self.up = 1
        self.port = 0


@contextmanager
def target() -> Iterator[Target]:
    """A target on a free port."""
    here = Target()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = f"checkout_up {here.up}\n".encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    here.port = server.server_port
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield here
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def process(command: list[str], log: Path) -> Iterator[None]:
    """A server for as long as the block runs."""
    with log.open("w") as output:
        running = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        try:
            yield
            assert running.poll() is None, log.read_text()
        finally:
            running.send_signal(signal.SIGTERM)
            running.wait(20)


@contextmanager
def prometheus(folder: Path, scraped: int, alerts_to: int) -> Iterator[Path]:
    """Prometheus that sends its alerts to a port; gives its log."""
    binary = require("prometheus")
    (folder / "rules.yml").write_text(json.dumps(RULES))
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(folder / "rules.yml")],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{alerts_to}"]}]}]},
        "scrape_configs": [
            {"job_name": "shop", "static_configs": [{"targets": [f"127.0.0.1:{scraped}"]}]},
        ],
    }
    (folder / "prometheus.yml").write_text(json.dumps(config))
    command = [
        binary,
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{free_port()}",
        "--rules.alert.resend-delay=1s",
    ]
    log = folder / "prometheus.log"
    with process(command, log):
        yield log


@contextmanager
def alertmanager(folder: Path, webhook: str) -> Iterator[int]:
    """Alertmanager that notifies one webhook; gives its port."""
    binary = require("prometheus-alertmanager", "alertmanager")
    route = {"receiver": "tocsin", "group_wait": "1s", "group_interval": "1s", "repeat_interval": "1h"}
    config = {"route": route, "receivers": [{"name": "tocsin", "webhook_configs": [{"url": webhook}]}]}
    (folder / "alertmanager.yml").write_text(json.dumps(config))
    port = free_port()
    command = [
        binary,
        f"--config.file={folder / 'alertmanager.yml'}",
        f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    with process(command, folder / "alertmanager.log"):
        yield port
