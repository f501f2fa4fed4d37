"""A worker run apart tells what it counts."""

import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.processes import free_port
from tocsin.accounts import services as accounts
from tocsin.core.errors import Misconfigured
from tocsin.notify import metrics
from tocsin.orchestration import counted

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@contextmanager
def _served(monkeypatch: pytest.MonkeyPatch, host: str) -> Iterator[str]:
    port = free_port()
    monkeypatch.setenv("TOCSIN_WORKER_METRICS", f"{host}:{port}")
    server = counted.serve()
    assert server is not None
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.shutdown()
        server.server_close()


def _status(url: str, key: str = "") -> int:
    asked = urllib.request.Request(url, headers={"Authorization": f"Bearer {key}"} if key else {})
    try:
        with urllib.request.urlopen(asked, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_it_tells_what_the_worker_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    metrics.count("told-by-this-test", "sent", 0.1)
    metrics.hand_over()
    with _served(monkeypatch, "127.0.0.1") as url:
        with urllib.request.urlopen(f"{url}/metrics", timeout=10) as answer:
            families = {each.name: each for each in text_string_to_metric_families(answer.read().decode())}
        assert _status(f"{url}/") == 404
    told = [
        sample
        for sample in families["tocsin_deliveries"].samples
        if sample.labels.get("driver") == "told-by-this-test"
    ]
    assert told[0].labels["result"] == "sent"


def test_bound_wider_it_takes_a_key(monkeypatch: pytest.MonkeyPatch, transactional_db: None) -> None:
    key = accounts.create_api_key(name="prometheus", scope="read", now=NOW)
    with _served(monkeypatch, "0.0.0.0") as url:
        assert _status(f"{url}/metrics") == 401
        assert _status(f"{url}/metrics", "wrong") == 403
        assert _status(f"{url}/metrics", key) == 200


def test_nothing_is_served_unless_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert counted.serve() is None
    monkeypatch.setenv("TOCSIN_WORKER_METRICS", f"127.0.0.1:{free_port()}")
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "/tmp")
    assert counted.serve() is None, "web tells of it"


def test_an_address_that_cannot_be_used_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_WORKER_METRICS", "8421")
    with pytest.raises(Misconfigured, match="host:port"):
        counted.serve()
    monkeypatch.setenv("TOCSIN_WORKER_METRICS", "203.0.113.1:8421")
    with pytest.raises(Misconfigured, match="listened on"):
        counted.serve()
