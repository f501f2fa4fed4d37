"""Metrics of a real Prometheus that is stopped, of its own page, and of pages that are none."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.checkers.looking import look
from tests.checkers.servers import listens, running
from tests.fakes.receiver import Receiver
from tests.installed import require
from tests.processes import free_port
from tests.real.prometheus import target
from tocsin.checkers.checks import CheckResult
from tocsin.checkers.running import Runner, build
from tocsin.core.errors import Misconfigured, Rejected, Unavailable

PAGE = b"""# HELP queue_length Mails that wait.
# TYPE queue_length gauge
queue_length{queue="in",host="a"} 3
queue_length{queue="out",host="a"} 42
queue_length{queue="out",host="b"} 7
# TYPE requests counter
requests_total 12
broken NaN
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Prometheus that has scraped a target and itself."""
    folder, port = tmp_path_factory.mktemp("prometheus"), free_port()
    with target() as scraped:
        jobs = [
            {"job_name": "shop", "static_configs": [{"targets": [f"127.0.0.1:{scraped.port}"]}]},
            {"job_name": "itself", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]},
        ]
        config = {"global": {"scrape_interval": "1s"}, "scrape_configs": jobs}
        (folder / "prometheus.yml").write_text(json.dumps(config))
        command = [
            require("prometheus"), f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'tsdb'}", f"--web.listen-address=127.0.0.1:{port}",
        ]  # fmt: skip
        with running(command, lambda: listens(port)):
            url, deadline = f"http://127.0.0.1:{port}", time.monotonic() + 30
            while look("prometheus_metric", url=url, query="sum(up) == 2", no_data="critical").status != "ok":
                assert time.monotonic() < deadline
                time.sleep(0.2)
            yield url


@pytest.mark.real
def test_queries(server: str) -> None:
    found = look("prometheus_metric", url=server, query="checkout_up", critical=0.5, below=True)
    assert found.status == "ok"
    assert found.message.startswith('checkout_up{instance="127.0.0.1:')
    assert list(found.metrics.values()) == [1]
    assert look("prometheus_metric", url=server, query="up", warning=1).status == "warning"
    assert look("prometheus_metric", url=server, query="count(up)", critical=2).metrics == {"value": 2}
    assert look("prometheus_metric", url=f"{server}/", query="scalar(vector(3))").metrics == {"value": 3}


@pytest.mark.real
def test_queries_without_a_number(server: str) -> None:
    nothing = look("prometheus_metric", url=server, query="absent_metric")
    assert (nothing.status, nothing.message) == ("unknown", "there is no series of absent_metric")
    assert look("prometheus_metric", url=server, query="absent_metric", no_data="ok").status == "ok"
    assert look("prometheus_metric", url=server, query="0/0").status == "unknown"
    for query, said in (("up{", "bad_data: .*parse error"), ("up[5m]", "gives a matrix")):
        with pytest.raises(Rejected, match=said):
            look("prometheus_metric", url=server, query=query)


@pytest.mark.real
def test_a_page_of_a_real_server(server: str) -> None:
    found = look(
        "prometheus_metric", url=f"{server}/metrics", metric="prometheus_build_info",
        labels={"branch": "debian/sid"}, no_data="ok",
    )  # fmt: skip
    assert found.status == "ok"
    page = look("prometheus_metric", url=f"{server}/metrics", metric="process_open_fds", warning=1)
    assert page.status == "warning"


def test_a_page(receiver: Receiver) -> None:
    receiver.default.body = PAGE

    def found(**options: Any) -> CheckResult:
        return look("prometheus_metric", url=receiver.url, **options)

    worst = found(metric="queue_length", labels={"queue": "out"}, warning=5, critical=40)
    assert worst.status == "critical"
    assert worst.message == (
        'queue_length{host="a", queue="out"} is 42; queue_length{host="b", queue="out"} is 7'
    )
    assert worst.metrics == {'value[host="a", queue="out"]': 42, 'value[host="b", queue="out"]': 7}
    assert found(metric="requests_total", critical=13).metrics == {"value": 12}
    assert found(metric="queue_length", labels={"queue": "none"}).status == "unknown"
    assert found(metric="broken", no_data="critical").status == "critical"


@pytest.mark.parametrize(("status", "body", "error", "said"), [
    (503, b"", Unavailable, "HTTP 503"), (200, b"<html> nothing {", Rejected, "no page of metrics"),
])  # fmt: skip
def test_pages_that_are_none(
    receiver: Receiver, status: int, body: bytes, error: type[Exception], said: str
) -> None:
    receiver.default.status, receiver.default.body = status, body
    with pytest.raises(error, match=said):
        look("prometheus_metric", url=receiver.url, metric="a")


@pytest.mark.parametrize(
    "body", [b"<html>", b'{"status": "error", "error": "no"}', b'{"status": "success"}', b"[]"]
)
def test_servers_that_are_none_are_unknown(receiver: Receiver, body: bytes) -> None:
    receiver.default.body = body
    asking = build("prometheus_metric", {"url": receiver.url, "query": "up"}, trusted=True)
    assert Runner({"it": asking}).run()[0].status == "unknown"


def test_a_server_that_is_away_is_unknown() -> None:
    options = {"url": f"http://127.0.0.1:{free_port()}", "query": "up"}
    found = Runner({"it": build("prometheus_metric", options, trusted=True)}).run()[0]
    assert (found.status, "Connection refused" in found.message) == ("unknown", True)


@pytest.mark.parametrize("options", [{}, {"query": "up", "metric": "up"}])
def test_a_query_or_a_metric(options: dict[str, str]) -> None:
    with pytest.raises(Misconfigured, match="give a query for a server, or a metric for a page"):
        build("prometheus_metric", {"url": "http://x", **options})


def test_more_series_than_are_compared(receiver: Receiver) -> None:
    receiver.default.body = b"".join(b'a{n="%d"} 1\n' % n for n in range(101))
    with pytest.raises(Rejected, match="a has 101 series; at most 100"):
        look("prometheus_metric", url=receiver.url, metric="a")
