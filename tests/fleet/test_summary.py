"""How the fleet is, from rows: what counts as a device, what as online, and what is worst."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.statements import counted
from tests.world import World
from tocsin.alerts.events import Beat, CheckTold, FeedEvent, Push
from tocsin.alerts.intake.beside import Told
from tocsin.alerts.intake.journal import Journal, Post
from tocsin.alerts.listeners.zigbee2mqtt import Reader
from tocsin.core.ids import new_id
from tocsin.fleet import enrolment, feed, heartbeats, instances, summary, survey
from tocsin.fleet.models import Heartbeat
from tocsin.fleet.schedule import Schedule
from tocsin.fleet.summary import AlertRow, EventRow, InstanceRow, Module, modules

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def row(name: str = "web-1", **told: Any) -> InstanceRow:
    given = {"hostname": "", "state": "up", "status": "ok", "address": "192.0.2.7", "clock_wrong": False}
    return InstanceRow(**{"pk": 1, "instance_id": name, "last_seen_at": NOW, **given, **told})


def alert(name: str = "device offline", device: str = "lamp", **told: Any) -> AlertRow:
    labels = {"job": "zigbee2mqtt", "device": device, "instance": device}
    given = {"name": name, "status": "firing", "severity": "warning", "source": "zigbee2mqtt"}
    given |= {"labels": labels, "started_at": NOW, "seen_at": NOW, "incident_id": 7}
    return AlertRow(**{"fingerprint": f"{name}-{device}", **given, **told})


def found(*alerts: AlertRow, events: tuple[EventRow, ...] = ()) -> dict[str, dict[str, str]]:
    """State by device by module."""
    known = modules((), (), alerts, events, NOW)
    return {m.name: {d.id: d.status for d in m.devices} for m in known if m.devices}


@pytest.mark.parametrize(
    ("told", "status", "online"),
    [
        ({}, "ok", 1),
        ({"status": "warning"}, "warning", 1),
        ({"status": "critical"}, "critical", 1),
        ({"status": "unknown"}, "unknown", 0),
        ({"state": "silent", "status": "critical"}, "silent", 0),
        ({"clock_wrong": True}, "warning", 1),
        ({"clock_wrong": True, "status": "critical"}, "critical", 1),
        ({"address": ""}, "unknown", 0),  # enrolled, and has never pushed
    ],
)
def test_an_agent(told: dict[str, Any], status: str, online: int) -> None:
    agents = modules([row(**told)], (), (), (), NOW)[0]
    assert (agents.name, agents.devices[0].status, agents.online) == ("agents", status, online)


@pytest.mark.parametrize(
    ("told", "status"),
    [
        ({"state": "up"}, "ok"),
        ({"state": "new"}, "unknown"),
        ({"state": "paused"}, "unknown"),
        ({"state": "down", "last_signal": "success"}, "silent"),
        ({"state": "down", "last_signal": "failure"}, "critical"),
        ({"state": "up", "period": 60, "expected_at": NOW}, "warning"),
        ({"state": "up", "started_at": NOW}, "ok"),
    ],
)
def test_a_heartbeat(told: dict[str, Any], status: str) -> None:
    jobs = modules((), [Heartbeat(name="backup", **told)], (), (), NOW)[1]
    assert (jobs.name, jobs.devices[0].status) == ("heartbeats", status)


def test_the_worst_come_first() -> None:
    rows = [row("a"), row("b", status="warning"), row("C", state="silent"), row("d", status="critical")]
    rows += [row("e", status="unknown"), row("f", state="silent")]
    agents = modules(rows, (), (), (), NOW)[0]
    assert [device.id for device in agents.devices] == ["d", "C", "f", "b", "e", "a"]


def test_what_is_wrong_with_a_device_its_worst_alert_says() -> None:
    told = found(
        alert(), alert("battery_low", "door"), alert("water_leak", "door", severity="critical"),
        alert("tamper", "gate", status="resolved"), alert("info only", "fan", severity="info"),
    )  # fmt: skip
    assert told == {"zigbee2mqtt": {"door": "critical", "lamp": "silent", "fan": "ok", "gate": "ok"}}


@pytest.mark.parametrize(
    ("labels", "source", "place"),
    [
        ({"module": "audio", "device": "kitchen", "instance": "hub"}, "generic", ("audio", "kitchen")),
        ({"module": "audio", "instance": "hub"}, "generic", ("audio", "hub")),
        ({"module": "audio", "job": "node", "instance": "hub"}, "generic", ("audio", "hub")),
        ({"job": "audio-player", "device": "demo"}, "prometheus", ("audio-player", "demo")),
        ({"job": "node", "instance": "web-1:9100"}, "prometheus", None),
        ({"job": "zigbee2mqtt", "instance": "zigbee2mqtt"}, "zigbee2mqtt", ("zigbee2mqtt", "zigbee2mqtt")),
        ({"module": "audio"}, "generic", None),
        ({"module": "", "device": "x"}, "generic", None),
        ({}, "generic", None),
    ],
)
def test_which_module_an_alert_is_of(
    labels: dict[str, str], source: str, place: tuple[str, str] | None
) -> None:
    assert summary.module_of(alert(labels=labels, source=source)) == place


def test_an_event_makes_a_device_known_and_says_nothing_bad_of_it() -> None:
    later = NOW + timedelta(minutes=1)
    events = (
        EventRow("hub", {"module": "audio", "device": "kitchen", "level": "error"}, NOW),
        EventRow("hub", {"module": "audio"}, NOW),
        EventRow("hub", {"module": "audio", "device": "kitchen"}, later),
        EventRow("", {"module": "audio"}, NOW),
        EventRow("hub", {"module": ["audio"], "device": {}}, NOW),
        EventRow("hub", {}, NOW),
    )
    assert found(events=events) == {"audio": {"hub": "ok", "kitchen": "ok"}}
    kitchen = modules((), (), (), events, NOW)[2].devices[1]
    assert kitchen.seen_at == later


def test_agents_and_heartbeats_are_what_their_own_tables_say() -> None:
    labels = {"module": "agents", "device": "web-1"}
    assert found(alert(labels=labels), alert(labels=labels | {"module": "heartbeats"})) == {}


def test_the_answer_is_bounded_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    known = modules([row(str(number)) for number in range(3)], (), (), (), NOW)
    assert not summary.summary(known, NOW).cut
    monkeypatch.setattr(summary, "MOST_DEVICES", 2)
    told = summary.summary(known, NOW)
    assert (told.cut, told.modules[0].total, len(told.modules[0].devices)) == (True, 2, 2)


# From the database.


def push(world: World, name: str = "web-1", **told: Any) -> None:
    checks = (CheckTold("cpu", told.pop("status", "ok"), "busy", {}, None, 0),)
    given = Push(**{"instance_id": name, "interval": 60, "sent_at": world.now, "checks": checks, **told})
    instances.take([given], Told("cluster", "", "trace", world.now, True, "192.0.2.7"))


def zigbee(world: World, topic: str, payload: bytes) -> None:
    events = Reader("zigbee2mqtt").read(f"zigbee2mqtt/{topic}", payload, False, world.now)
    Journal().commit([Post(events, "zigbee2mqtt", new_id(), world.now)])


def crowd(world: World, count: int, prefix: str = "x") -> None:
    for number in range(count):
        push(world, f"{prefix}-{number}")
        heartbeats.create(name=f"{prefix}-{number}", schedule=Schedule(period=60), now=world.now)
        zigbee(world, f"{prefix}-{number}/availability", b"offline")
    data = {"module": "audio", "device": prefix}
    feed.record([FeedEvent("upload", "", data=data)] * count, Told("api", "", "t", world.now, True))
    world.work()


def seen(world: World) -> dict[str, dict[str, str]]:
    known: list[Module] = survey.survey(world.now)
    return {module.name: {device.id: device.status for device in module.devices} for module in known}


def test_the_whole_fleet(world: World) -> None:
    push(world)
    push(world, "db-1", status="critical")
    enrolment.enrol(
        token=enrolment.offer(now=world.now), instance_id="new", hostname="", version="", now=world.now
    )
    heartbeats.create(name="backup", schedule=Schedule(period=3_600), now=world.now)
    heartbeats.take([Beat(name="backup")], Told("api", "", "t", world.now, True))
    zigbee(world, "lamp/availability", b"offline")
    zigbee(world, "bridge/state", b'{"state": "offline"}')
    labels = {"module": "audio", "instance": "amp"}
    world.post({"name": "Overheats", "labels": labels, "severity": "critical"})
    world.work()
    assert seen(world) == {
        "agents": {"db-1": "critical", "new": "unknown", "web-1": "ok"},
        "heartbeats": {"backup": "ok"},
        "audio": {"amp": "critical"},
        "zigbee2mqtt": {"lamp": "silent", "zigbee2mqtt": "silent"},
    }
    world.forward(hours=3)
    told = seen(world)
    assert told["agents"] == {"db-1": "silent", "new": "unknown", "web-1": "silent"}
    assert told["heartbeats"] == {"backup": "silent"}


def test_a_device_that_came_back_is_known_still(world: World) -> None:
    reader = Reader("zigbee2mqtt")
    for payload in (b"offline", b"online"):
        events = reader.read("zigbee2mqtt/lamp/availability", payload, False, world.now)
        Journal().commit([Post(events, "zigbee2mqtt", new_id(), world.now)])
        world.forward(seconds=1)
    assert seen(world)["zigbee2mqtt"] == {"lamp": "ok"}


def test_an_old_alert_that_fires_counts_however_many_are_newer(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(survey, "LOOKED_AT", 2)
    zigbee(world, "lamp/availability", b"offline")
    for number in range(4):
        world.fire(f"Other{number}")
    world.work()
    assert seen(world)["zigbee2mqtt"] == {"lamp": "silent"}


def test_more_devices_cost_no_more_queries(world: World) -> None:
    def asked() -> list[str]:
        with counted() as statements:
            survey.survey(world.now)
            survey.state(world.now)
        return statements

    crowd(world, 1)
    few = asked()
    crowd(world, 12, "more")
    assert len(asked()) == len(few) <= 14


def test_all_that_is_known(world: World) -> None:
    crowd(world, 2)
    push(world, "x-0", waiting=3, dropped={"steady": 2}, version="0.1", hostname="x0.example")
    told = survey.state(world.now)
    first = told.instances[0]
    assert (first.id, first.hostname, first.waiting, first.dropped) == ("x-0", "x0.example", 3, {"steady": 2})
    assert first.checks["cpu"]["status"] == "ok"
    assert [job.name for job in told.heartbeats] == ["x-0", "x-1"]
    assert [(d.module, d.id, d.status) for d in told.devices][-2:] == [
        ("zigbee2mqtt", "x-0", "silent"), ("zigbee2mqtt", "x-1", "silent"),
    ]  # fmt: skip
    assert told.devices[-1].alerts[0].name == "device offline"
    assert told.devices[-1].alerts[0].incident_id is not None
    assert not told.cut


def test_what_fires_for_an_instance(world: World) -> None:
    push(world, hostname='web-1."example"')
    push(world, "web-10", hostname="web-1")
    for labels in (
        {"instance": "web-1"}, {"hostname": 'web-1."example"'}, {"instance_id": "web-1", "instance": "other"},
        {"instance_id": "web-10", "instance": "web-1"}, {"instance": "web-10"}, {"note": "web-1"},
        {"instance": "WEB-1"},
    ):  # fmt: skip
        world.post({"name": "Alert", "labels": labels})
    world.work()
    found = survey.firing_on(instances.named("web-1"), 10)
    assert [alert.labels.get("instance") for alert in found] == ["other", None, "web-1"]
    assert len(survey.firing_on(instances.named("web-1"), 2)) == 2
