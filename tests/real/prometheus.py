"""A real Prometheus (and Alertmanager), with a target whose metrics the test sets."""

import json
import signal
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from prometheus_client.parser import text_string_to_metric_families

from tests.installed import require
from tests.processes import free_port

RULES: Final[dict[str, Any]] = {
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
    """Something to scrape: ``values`` by series, as they are exposed."""

    def __init__(self) -> None:
        self.values: dict[str, float] = {"checkout_up": 1}
        self.port = 0


@contextmanager
def target() -> Iterator[Target]:
    """A target on a free port."""
    here = Target()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = "".join(f"{series} {value}\n" for series, value in here.values.items()).encode()
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


class Prometheus:
    """One that runs."""

    def __init__(self, port: int, log: Path) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.log = log

    def _get(self, path: str) -> str:
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:
            return str(answer.read().decode())

    def counted(self, name: str) -> float:
        """One of its own counters, over all its labels."""
        families = text_string_to_metric_families(self._get("/metrics"))
        samples = [sample for family in families for sample in family.samples if sample.name == name]
        assert samples, f"Prometheus has no {name}"
        return sum(sample.value for sample in samples)

    def query(self, expression: str) -> list[dict[str, Any]]:
        """What it answers to an expression."""
        answer = json.loads(self._get(f"/api/v1/query?query={quote(expression)}"))
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found


@contextmanager
def prometheus(
    folder: Path, scraped: int, alerts_to: int, rules: dict[str, Any] = RULES
) -> Iterator[Prometheus]:
    """Prometheus that sends its alerts to a port."""
    binary = require("prometheus")
    (folder / "rules.yml").write_text(json.dumps(rules))
    jobs = [
        {"job_name": "shop", "honor_labels": True, "static_configs": [{"targets": [f"127.0.0.1:{scraped}"]}]}
    ]
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(folder / "rules.yml")],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{alerts_to}"]}]}]},
        "scrape_configs": jobs,
    }
    (folder / "prometheus.yml").write_text(json.dumps(config))
    port = free_port()
    command = [
        binary,
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--rules.alert.resend-delay=1s",
    ]
    log = folder / "prometheus.log"
    with process(command, log):
        yield Prometheus(port, log)


def notifying(webhook: str) -> str:
    """A configuration of Alertmanager that notifies one webhook."""
    route = {"receiver": "tocsin", "group_wait": "1s", "group_interval": "1s", "repeat_interval": "1h"}
    return json.dumps(
        {"route": route, "receivers": [{"name": "tocsin", "webhook_configs": [{"url": webhook}]}]}
    )


@contextmanager
def alertmanager(folder: Path, config: str, *options: str) -> Iterator[int]:
    """Alertmanager with a configuration; gives its port."""
    binary = require("prometheus-alertmanager", "alertmanager")
    (folder / "alertmanager.yml").write_text(config)
    port = free_port()
    command = [
        binary,
        f"--config.file={folder / 'alertmanager.yml'}",
        f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
        *options,
    ]
    with process(command, folder / "alertmanager.log"):
        yield port
