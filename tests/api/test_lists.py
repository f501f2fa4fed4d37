"""Lists of what there is: filters that all must hold, pages that miss nothing, secrets that stay here."""

from typing import Any

import pytest
from django.test import Client

from tests.world import World
from tocsin.accounts import services as accounts
from tocsin.api.lists import LISTS, MOST
from tocsin.core import clock
from tocsin.notify import services as notify


@pytest.fixture
def caller(client: Client, transactional_db: None) -> Client:
    key = accounts.create_api_key(name="reader", scope="read", now=clock.now())
    client.defaults["HTTP_AUTHORIZATION"] = f"Bearer {key}"
    return client


@pytest.fixture
def night(world: World) -> World:
    """Three machines in trouble, one of which recovers."""
    world.channel()
    for number, severity in enumerate(("critical", "warning", "warning")):
        world.fire(instance=f"web-{number}", severity=severity)
        world.work()
    world.resolve(instance="web-2")
    world.work()
    return world


def _get(caller: Client, name: str, **query: Any) -> Any:
    answer = caller.get(f"/api/v1/{name}/", query)
    assert answer.status_code == 200, answer.content
    return answer.json()


def test_every_list_tells_its_rows(caller: Client, night: World) -> None:
    counts = {name: len(_get(caller, name)[name.replace("-", "_")]) for name in LISTS}
    found = counts.pop("check-runs")
    assert found >= 3, "the stages' checks"
    assert counts == {"incidents": 3, "alerts": 3, "deliveries": 4, "runs": 4, "channels": 1, "monitors": 0}


def test_an_incident_and_its_alert(caller: Client, night: World) -> None:
    newest = _get(caller, "incidents")["incidents"][0]
    assert (newest["title"], newest["status"]) == ("HighCPU on web-2", "resolved")
    (alert,) = _get(caller, "alerts", incident=newest["id"])["alerts"]
    assert alert["labels"] == {"alertname": "HighCPU", "instance": "web-2"}
    assert (alert["status"], alert["episode"]) == ("resolved", 1)
    runs = _get(caller, "runs", incident=newest["id"])["runs"]
    assert [run["reason"] for run in runs] == ["resolved", "fired"]
    assert [stage["stage"] for stage in runs[0]["stages"]] == ["INGEST", "CHECK", "ANALYZE", "NOTIFY"]
    assert [sent["kind"] for sent in _get(caller, "deliveries", run=runs[0]["run_id"])["deliveries"]] == [
        "resolved"
    ]


def test_filters_all_must_hold_and_values_of_one_are_alternatives(caller: Client, night: World) -> None:
    def titles(**query: Any) -> list[str]:
        return [incident["title"][-5:] for incident in _get(caller, "incidents", **query)["incidents"]]

    assert titles(severity="warning") == ["web-2", "web-1"]
    assert titles(severity="warning", status="open") == ["web-1"]
    assert titles(status=["open", "resolved"]) == ["web-2", "web-1", "web-0"]
    assert titles(status="closed") == []


@pytest.mark.parametrize("name", ["incidents", "alerts", "deliveries", "runs"])
def test_pages_miss_nothing_and_double_nothing(caller: Client, night: World, name: str) -> None:
    whole, seen, cursor = _get(caller, name)[name], [], ""
    for _ in range(len(whole)):
        page = _get(caller, name, limit=1, cursor=cursor)
        seen += page[name]
        cursor = page["next"]
    assert cursor is None
    assert seen == whole


def test_secrets_stay_here(caller: Client) -> None:
    notify.add_channel(
        name="signed",
        driver="webhook",
        given={"url": "https://x.example/", "secret": "s3cret"},
        now=clock.now(),
    )
    answer = caller.get("/api/v1/channels/?enabled=true")
    assert b"s3cret" not in answer.content
    (channel,) = answer.json()["channels"]
    assert (channel["name"], channel["config"]["url"]) == ("signed", "https://x.example/")
    assert _get(caller, "channels", enabled="false")["channels"] == []


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("colour=red", "there is no filter 'colour' here; known: id, status"),
        ("limit=many", "limit: 'many' is not a whole number"),
        ("id=-1", "id: '-1' is not a whole number"),
        ("cursor=abc", "cursor: 'abc'"),
        ("status=%00", "NUL"),
    ],
)
def test_what_cannot_be_asked_is_told(caller: Client, query: str, said: str) -> None:
    answer = caller.get(f"/api/v1/incidents/?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, "query")
    assert said in answer.json()["message"]


def test_a_page_has_its_bounds(caller: Client, night: World) -> None:
    assert len(_get(caller, "incidents", limit=0)["incidents"]) == 1
    assert len(_get(caller, "incidents", limit=MOST * 10)["incidents"]) == 3


def test_who_may_read(client: Client, transactional_db: None) -> None:
    assert client.get("/api/v1/alerts/").status_code == 401
    ingest = accounts.create_api_key(name="poster", scope="ingest", now=clock.now())
    assert client.get("/api/v1/alerts/", headers={"Authorization": f"Bearer {ingest}"}).status_code == 403
