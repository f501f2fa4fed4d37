"""A web process that is asked to end: first nobody is sent to it any more, then it ends."""

import http.client
import json
import time
from collections.abc import Iterator

import pytest

from tests.ledger import alert
from tests.machines import Machines
from tests.processes import Tocsin

pytestmark = pytest.mark.real


@pytest.fixture
def tocsin() -> Iterator[Machines]:
    with Machines("", workers=0, TOCSIN_DRAIN_SECONDS="2") as machines:
        machines.environment["TOCSIN_DATA_DIR"] = str(machines.data_dir)
        machines.share(str(machines.data_dir))
        machines.run("migrate", "-v0")
        machines.start()
        yield machines


def _ask(
    connection: http.client.HTTPConnection, method: str, path: str, body: object = None
) -> tuple[int, bool]:
    """The status, and whether the connection is to be kept."""
    connection.request(method, path, json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    return answer.status, answer.headers["Connection"] != "close"


def test_it_says_so_and_serves_on(tocsin: Machines) -> None:
    [web] = tocsin.webs
    kept = http.client.HTTPConnection("127.0.0.1", tocsin.port, timeout=10)
    assert _ask(kept, "GET", "/api/readyz") == (200, True)
    began = time.monotonic()
    web.end()
    tocsin.wait(lambda: _ask(kept, "GET", "/api/readyz")[0] == 503, "it to be unready", 2)
    assert _ask(kept, "POST", "/api/v2/alerts", [alert("late")]) == (200, False)
    assert web.wait() is not None
    assert 2 <= time.monotonic() - began < 5
    assert tocsin.post([alert("later")]) == 0
    assert len(Tocsin.query(tocsin, "SELECT 1 FROM alerts_alert")) == 1
