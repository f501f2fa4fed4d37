"""A real Prometheus rule fires and resolves: one incident, a firing and a resolved message."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.receiver import Receiver
from tests.processes import Tocsin
from tests.real.prometheus import Target, alertmanager, notifying, prometheus, target

pytestmark = pytest.mark.real


@pytest.fixture
def tocsin(receiver: Receiver) -> Iterator[Tocsin]:
    with Tocsin() as started:
        started.add_webhook(receiver.url)
        yield started


def _fires_and_resolves(scraped: Target, receiver: Receiver, tocsin: Tocsin) -> None:
    scraped.values["checkout_up"] = 0
    firing = receiver.wait_for(1, 60)[0].json
    assert (firing["kind"], firing["title"]) == ("firing", f"CheckoutDown on 127.0.0.1:{scraped.port}")
    assert firing["severity"] == "critical"
    assert firing["alerts"][0]["annotations"]["summary"].startswith("Checkout on 127.0.0.1")
    scraped.values["checkout_up"] = 1
    resolved = receiver.wait_for(2, 60)[1].json
    assert resolved["kind"] == "resolved"
    assert resolved["incident_id"] == firing["incident_id"]
    # Both re-send what they have: it must change nothing.
    tocsin.wait(
        lambda: tocsin.query("SELECT COUNT(*) FROM alerts_alert WHERE status = 'resolved'") == [(1,)], "end"
    )
    assert [request.json["kind"] for request in receiver.received] == ["firing", "resolved"]
    assert tocsin.query("SELECT COUNT(*) FROM alerts_incident") == [(1,)]
    assert tocsin.query("SELECT kind FROM alerts_alerthistory ORDER BY id") == [("fired",), ("resolved",)]


def test_straight_from_prometheus(tocsin: Tocsin, receiver: Receiver, tmp_path: Path) -> None:
    with target() as scraped, prometheus(tmp_path, scraped.port, tocsin.port) as running:
        _fires_and_resolves(scraped, receiver, tocsin)
        assert "Error sending alert" not in running.log.read_text()


def test_through_alertmanager(tocsin: Tocsin, receiver: Receiver, tmp_path: Path) -> None:
    webhook = f"{tocsin.url}/alerts/webhook/alertmanager/"
    with (
        target() as scraped,
        alertmanager(tmp_path, notifying(webhook)) as port,
        prometheus(tmp_path, scraped.port, port),
    ):
        _fires_and_resolves(scraped, receiver, tocsin)
