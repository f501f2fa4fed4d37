"""Grafana OnCall's inbound URLs."""

from typing import Any

import pytest

from tests.asgi import Request
from tests.doorway import Doorway
from tocsin.alerts import sources
from tocsin.alerts.models import Alert, AlertHistory
from tocsin.core import clock
from tocsin.fleet.models import Heartbeat


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        ("alertmanager", {"receiver": "x", "alerts": [{"labels": {"alertname": "Down"}}]}),
        ("webhook", {"name": "Down"}),
        ("formatted_webhook", {"alert_uid": "1", "title": "Down", "state": "alerting"}),
        ("direct_paging", {"name": "Down"}),
        ("Grafana_Alerting", {"receiver": "x", "alerts": [{"labels": {"alertname": "Down"}}]}),
    ],
)  # fmt: skip
def test_a_tools_webhook_is_read_by_its_driver(door: Doorway, kind: str, payload: Any) -> None:
    answer = door.post(payload, f"/integrations/v1/{kind}/token/")
    assert (answer.status, answer.json) == (200, "Ok."), answer.body
    alert = Alert.objects.get()
    assert (alert.name, alert.source) == ("Down", "oncall")


def test_a_formatted_webhook_ends_what_it_began(door: Doorway) -> None:
    path = "/oncall/integrations/v1/formatted_webhook/token"
    begun = {"alert_uid": "1", "title": "Down", "state": "alerting", "message": "m", "image_url": "i"}
    door.post({**begun, "link_to_upstream_details": "https://x.example"}, path)
    assert Alert.objects.get().generator_url == "https://x.example"
    assert Alert.objects.get().annotations == {"message": "m", "image_url": "i"}
    door.post({"alert_uid": "1", "title": "Up again", "state": "ok"}, path)
    assert Alert.objects.get().status == "resolved"


@pytest.mark.parametrize("kind", ["alertmanager", "webhook", "formatted_webhook", "nobody"])
def test_what_cannot_be_read_is_refused(door: Doorway, kind: str) -> None:
    answer = door.post(b'{"hello": 1}', f"/integrations/v1/{kind}/token/")
    assert (answer.status, bool(answer.json["detail"])) == (400, True)
    assert not AlertHistory.objects.exists()


def test_a_heartbeat_is_kept(door: Doorway) -> None:
    for _ in range(2):
        assert door.post(b"", "/integrations/v1/webhook/token/heartbeat/").status == 200
    kept = Heartbeat.objects.get()
    assert kept.name.startswith("oncall-") and kept.state == "up"
    assert not AlertHistory.objects.exists()


def test_a_heartbeat_needs_a_key_beyond_loopback(closed: Doorway) -> None:
    token = sources.create_source(name="old", labels={}, now=clock.now())
    assert closed.post(b"", "/integrations/v1/webhook/token/heartbeat/").status == 403
    assert closed.post(b"", f"/integrations/v1/webhook/{token}/heartbeat/").status == 200
    assert Heartbeat.objects.get().sender == "old"


def test_the_token_in_the_path_opens(closed: Doorway) -> None:
    token = sources.create_source(name="old", labels={}, now=clock.now())
    assert closed.post({"name": "x"}, "/integrations/v1/webhook/nope/").status == 403
    assert closed.post({"name": "x"}, f"/integrations/v1/webhook/{token}/").status == 200
    assert Alert.objects.get().labels["source"] == "old"


def test_pages_of_ours_are_not_its(door: Doorway) -> None:
    assert not door.door.matches(Request("/integrations/v1/webhook/").scope())
