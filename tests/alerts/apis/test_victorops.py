"""Splunk On-Call's endpoint."""

from typing import Any, Final

import pytest

from tests.doorway import Doorway
from tocsin.alerts import sources
from tocsin.alerts.models import Alert, AlertHistory
from tocsin.core import clock
from tocsin.fleet.models import Event

PATH: Final = "/integrations/generic/20131114/alert/vokey/web"


def _post(door: Doorway, kind: str, **more: Any) -> Any:
    answer = door.post({"message_type": kind, "entity_id": "disk", **more}, PATH)
    assert (answer.status, answer.json["result"]) == (200, "success"), answer.body
    return answer.json


def test_critical_acknowledgement_and_recovery_are_one_alert(door: Doorway) -> None:
    told = _post(door, "CRITICAL", entity_display_name="Disk full", state_message="97 %", host_name="db-1")
    assert told["entity_id"] == "disk"
    alert = Alert.objects.get()
    assert (alert.name, alert.severity, alert.source) == ("Disk full", "critical", "victorops")
    assert (alert.labels["instance"], alert.labels["routing_key"]) == ("db-1", "web")
    assert alert.annotations == {"state_message": "97 %"}
    _post(door, "acknowledgement")
    _post(door, "RECOVERY", state_start_time=1_795_235_400)
    assert Alert.objects.get().status == "resolved"
    kinds = list(AlertHistory.objects.order_by("id").values_list("kind", flat=True))
    assert kinds == ["fired", "acknowledged", "resolved"]


def test_without_an_id_each_is_an_alert_of_its_own(door: Doorway) -> None:
    _post(door, "WARNING", entity_id="", entity_display_name="x")
    _post(door, "CRITICAL", entity_id="", entity_display_name="x")
    assert sorted(Alert.objects.values_list("severity", flat=True)) == ["critical", "warning"]


def test_what_is_for_the_record_wakes_nobody_and_lowers_nothing(door: Doorway) -> None:
    _post(door, "CRITICAL")
    assert _post(door, "INFO", state_message="still looking")["entity_id"] == "disk"
    assert Alert.objects.get().severity == "critical"
    assert Event.objects.get().message == "still looking"
    _post(door, "INFO", entity_id="", state_message="deployed")
    assert Event.objects.count() == 2
    assert door.post({"message_type": "INFO"}, PATH).status == 400


@pytest.mark.parametrize("wrong", [
    {}, {"message_type": "BURNS"}, {"message_type": "RECOVERY"}, [],
    {"message_type": "CRITICAL", "entity_id": "x", "state_start_time": "yesterday"},
])  # fmt: skip
def test_what_cannot_be_read_is_refused_in_its_shape(door: Doorway, wrong: Any) -> None:
    answer = door.post(wrong, PATH)
    assert (answer.status, answer.json["result"]) == (400, "failure")
    assert answer.json["message"]
    assert not AlertHistory.objects.exists()


def test_the_key_in_the_path_opens(closed: Doorway) -> None:
    event = {"message_type": "CRITICAL", "entity_id": "disk"}
    token = sources.create_source(name="splunk", labels={}, now=clock.now())
    assert closed.post(event, PATH).status == 403
    assert closed.post(event, f"/vo/integrations/generic/x/alert/{token}/team/web").status == 200
    assert Alert.objects.get().labels["source"] == "splunk"
