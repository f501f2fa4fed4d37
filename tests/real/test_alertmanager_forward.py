"""A real Alertmanager takes forwarded alerts, shows them as firing, and ends them."""

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.notify.messages import HOSTILE, alert, message
from tests.notify.through import send
from tests.real.contract import Server
from tests.real.prometheus import alertmanager, notifying
from tocsin.core import clock
from tocsin.notify.drivers.alertmanager import Config, Driver

pytestmark = pytest.mark.real


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with alertmanager(tmp_path, notifying("http://127.0.0.1:9/")) as port:
        here = Server(f"http://127.0.0.1:{port}")
        deadline = time.monotonic() + 20
        while not _ready(here) and time.monotonic() < deadline:
            time.sleep(0.05)
        yield here


def _ready(server: Server) -> bool:
    try:
        return server.open("GET", "/-/ready")[0] == 200
    except OSError:
        return False


def _firing(server: Server) -> set[str]:
    return {found["labels"]["alertname"] for found in server.ask("GET", "/api/v2/alerts").body}


async def test_from_the_beginning_to_the_end(server: Server) -> None:
    driver = Driver(Config.model_validate({"url": server.url}))
    began = clock.now() - timedelta(minutes=10)
    cpu = alert(started_at=began, annotations={"summary": HOSTILE})
    disk = alert(
        name="DiskFull", started_at=began, labels={"alertname": "DiskFull", "k8s.pod": HOSTILE, "": "x"}
    )
    assert await send(driver, message(alerts=[cpu, disk])) == "HTTP 200: 2 forwarded"
    assert _firing(server) == {"HighCPU", "DiskFull"}
    [found] = server.ask("GET", "/api/v2/alerts?filter=alertname=DiskFull").body
    assert found["labels"]["k8s_pod"] == HOSTILE
    assert found["generatorURL"] == message().url

    over = alert(started_at=began, status="resolved", ended_at=clock.now() - timedelta(minutes=1))
    await send(driver, message(alerts=[over]))
    assert _firing(server) == {"DiskFull"}
    await send(driver, message(kind="resolved", alerts=[disk]))
    assert _firing(server) == set()

    await send(driver, message(alerts=[alert(started_at=clock.now())], reason="refired"))
    assert _firing(server) == {"HighCPU"}
