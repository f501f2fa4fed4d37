"""What the drivers for PagerDuty, Opsgenie and Alertmanager send, a Tocsin understands that speaks their
protocols: its own readers, written apart from the drivers, are the judges."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.notify.messages import alert, message
from tests.notify.through import send
from tests.processes import Tocsin
from tocsin.core import clock
from tocsin.notify.drivers import BaseDriver
from tocsin.notify.drivers.alertmanager import Config as AlertmanagerConfig
from tocsin.notify.drivers.alertmanager import Driver as Alertmanager
from tocsin.notify.drivers.opsgenie import Config as OpsgenieConfig
from tocsin.notify.drivers.opsgenie import Driver as Opsgenie
from tocsin.notify.drivers.pagerduty import Config as PagerDutyConfig
from tocsin.notify.drivers.pagerduty import Driver as PagerDuty

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def other() -> Iterator[Tocsin]:
    with Tocsin() as started:
        yield started


def _drivers(url: str) -> dict[str, BaseDriver[Any]]:
    key = "0123456789abcdef0123456789abcdef"
    return {
        "PagerDuty": PagerDuty(
            PagerDutyConfig.model_validate({"routing_key": key, "url": f"{url}/v2/enqueue"})
        ),
        "Opsgenie": Opsgenie(OpsgenieConfig.model_validate({"api_key": key, "url": url})),
        "Alertmanager": Alertmanager(AlertmanagerConfig.model_validate({"url": url})),
    }


def _incident(other: Tocsin, title: str) -> tuple[str, str]:
    """Status and severity of the incident whose title begins so."""
    rows = other.query(
        f"SELECT status, severity FROM alerts_incident WHERE title LIKE '{title}%' ORDER BY id DESC LIMIT 1"
    )
    return rows[0] if rows else ("", "")


@pytest.mark.parametrize("service", ["PagerDuty", "Opsgenie", "Alertmanager"])
async def test_from_the_beginning_to_the_end(other: Tocsin, service: str) -> None:
    driver, title = _drivers(other.url)[service], f"Of{service}"
    labels = {"alertname": title, "instance": "web-1", "severity": "critical"}
    told: dict[str, Any] = {
        "title": title, "incident_id": len(service),
        "alerts": [alert(name=title, labels=labels, started_at=clock.now())],
    }  # fmt: skip
    await send(driver, message(**told))
    other.wait(lambda: _incident(other, title) == ("open", "critical"), f"{title} to be open")
    if service != "Alertmanager":  # which knows nobody who is on it
        await send(driver, message(**told, kind="acknowledged", status="acknowledged", actor="Ada"))
        other.wait(lambda: _incident(other, title)[0] == "acknowledged", f"somebody on {title}")
    await send(driver, message(**told, kind="resolved", status="resolved"))
    other.wait(lambda: _incident(other, title)[0] == "resolved", f"the end of {title}")
