"""Sources: a token that opens the ways in, and what their alerts are labelled with."""

import pytest

from tests.alerts.apis.conftest import closed  # noqa: F401 - a fixture
from tests.doorway import API, GENERIC, Doorway, doorway
from tocsin.alerts import sources
from tocsin.alerts.models import Alert, Source
from tocsin.core import clock
from tocsin.core.errors import Rejected

EVENT = {
    "event_action": "trigger",
    "dedup_key": "d",
    "payload": {"summary": "Disk full", "source": "db-1", "severity": "critical"},
}


def _create(name: str = "zabbix-eu", **labels: str) -> str:
    return sources.create_source(name=name, labels=labels, now=clock.now())


def _event(token: str) -> dict[str, object]:
    return {"routing_key": token, **EVENT}


def test_a_token_is_32_hex_digits_and_kept_as_a_hash(db: None) -> None:
    token = _create()
    assert len(token) == 32 and int(token, 16) >= 0
    row = Source.objects.get()
    assert token not in (row.digest, row.prefix)
    assert token.startswith(row.prefix) and row.enabled


@pytest.mark.parametrize("name", ["", "with space", "x" * 65, "a/b", "zabbix-eu"])
def test_a_name_that_cannot_be_used_is_refused(db: None, name: str) -> None:
    _create()
    with pytest.raises(Rejected, match="name"):
        _create(name)


@pytest.mark.parametrize(("label", "value"), [("bad-name", "x"), ("", "x"), ("team", ""), ("team", "a\nb")])
def test_a_label_that_cannot_be_used_is_refused(db: None, label: str, value: str) -> None:
    with pytest.raises(Rejected, match="name=value"):
        _create(**{label: value})


def test_its_token_opens_each_way_in(closed: Doorway) -> None:  # noqa: F811
    token = _create()
    bearer = {"Authorization": f"Bearer {token}"}
    assert closed.post(_event(token), "/v2/enqueue").status == 202
    genie = {"Authorization": f"GenieKey {token}"}
    assert closed.post({"message": "m"}, "/v2/alerts", genie).status == 202
    assert closed.post({"name": "x"}, GENERIC, bearer).status == 202
    assert closed.post([{"labels": {"alertname": "y"}}], API, bearer).status == 200
    assert closed.post(_event("0" * 32), "/v2/enqueue").status == 403
    assert set(Alert.objects.values_list("source", flat=True)) == {
        "pagerduty",
        "opsgenie",
        "generic",
        "prometheus",
    }


def test_its_alerts_bear_its_name_and_its_labels_where_they_lack_them(door: Doorway) -> None:
    token = _create(team="db", severity="none")
    door.post(_event(token), "/v2/enqueue")
    door.post({"name": "x", "labels": {"team": "web"}}, GENERIC, {"Authorization": f"Bearer {token}"})
    door.post([{"labels": {"alertname": "p"}}], API, {"Authorization": f"Bearer {token}"})
    event, plain, posted = (alert.labels for alert in Alert.objects.order_by("id"))
    assert (event["source"], event["origin"], event["team"]) == ("zabbix-eu", "db-1", "db")
    assert event["severity"] == "critical"
    assert (plain["source"], plain["team"]) == ("zabbix-eu", "web")
    assert (posted["source"], posted["team"]) == ("zabbix-eu", "db")


def test_what_comes_without_a_token_keeps_its_own_source(door: Doorway) -> None:
    _create()
    door.post(_event("f" * 32), "/v2/enqueue")
    assert Alert.objects.get().labels["source"] == "db-1"


def test_a_revoked_token_opens_nothing_not_even_an_open_door(transactional_db: None) -> None:
    token = _create()
    sources.revoke_source(name="zabbix-eu")
    for open_door in (True, False):
        with doorway(open_door=open_door) as door:
            answer = door.post(_event(token), "/v2/enqueue")
            assert (answer.status, "revoked" in answer.json["message"]) == (403, True)
            assert door.post({"name": "x"}, headers={"Authorization": f"Bearer {token}"}).status == 403
    assert not Alert.objects.exists()
    with pytest.raises(Rejected, match="zabbix-eu"):
        sources.revoke_source(name="zabbix-eu")
