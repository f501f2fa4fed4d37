"""What people do at another system's client: it reaches the incident, its record and, in time, people."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.world import World
from tocsin.alerts import deeds
from tocsin.alerts.events import Deed
from tocsin.alerts.intake.beside import Told
from tocsin.alerts.models import Alert, AlertHistory, Incident, Silence
from tocsin.core.errors import Rejected
from tocsin.core.ids import new_id

Do = Callable[..., None]


@pytest.fixture
def do(world: World) -> Do:
    """Do something about the one alert there is, and let the worker see it."""
    world.channel()
    world.fire(severity="warning")
    world.work()

    def doing(kind: str, **fields: object) -> None:
        told = Told("opsgenie", "", new_id(), world.now, True)
        deeds.perform([Deed(Alert.objects.get().fingerprint, kind, **fields)], told)  # type: ignore[arg-type]
        world.work()

    return doing


def _record() -> list[tuple[str, str, str]]:
    rows = AlertHistory.objects.filter(decision=AlertHistory.ACTION).order_by("pk")
    return list(rows.values_list("kind", "actor", "reason"))


def test_a_note_is_on_the_incidents_record(world: World, do: Do) -> None:
    do("note", by="ann", text=" replaced the disk ")
    assert _record() == [("note", "ann", "ann: replaced the disk")]
    do("note", text="no name")
    assert _record()[1] == ("note", "opsgenie", "opsgenie: no name")
    assert world.kinds() == ["firing"]


def test_an_incident_is_assigned_once_to_each(world: World, do: Do) -> None:
    do("assign", by="ann", text="bob")
    do("assign", by="ann", text="bob")
    number = world.incident().pk
    assert world.incident().assigned_to == "bob"
    assert _record() == [("assigned", "ann", f"ann assigned incident #{number} to bob")]


def test_who_acknowledged_can_let_go(world: World, do: Do) -> None:
    do("unacknowledge", by="ann")
    assert _record() == []
    world.post({"name": "HighCPU", "labels": {"instance": "web-1"}, "status": "acknowledged"})
    world.work()
    assert world.incident().status == Incident.ACKNOWLEDGED
    do("unacknowledge", by="ann")
    incident = world.incident()
    assert (incident.status, incident.acknowledged_at, incident.acknowledged_by) == (Incident.OPEN, None, "")


def test_a_snoozed_alert_is_told_of_anew_when_the_time_is_over(world: World, do: Do) -> None:
    do("snooze", by="ann", until=world.now + timedelta(hours=1), text="known")
    silence = Silence.objects.get()
    assert (silence.created_by, silence.comment) == ("ann", "known")
    assert {m["name"]: m["value"] for m in silence.matchers} == {"alertname": "HighCPU", "instance": "web-1"}
    world.fire(severity="critical")
    world.forward(minutes=59)
    assert world.kinds() == ["firing"]
    world.forward(minutes=2)
    assert world.kinds() == ["firing", "firing"]


def test_the_end_of_a_snoozed_alert_is_told(world: World, do: Do) -> None:
    do("snooze", until=world.now + timedelta(hours=1))
    world.resolve()
    world.work()
    assert world.kinds() == ["firing", "resolved"]
    world.forward(hours=2)
    assert world.kinds() == ["firing", "resolved"]


def test_an_alert_that_is_over_is_not_snoozed(world: World, do: Do) -> None:
    world.resolve()
    world.work()
    do("snooze", until=world.now + timedelta(hours=1))
    assert not Silence.objects.exists()


def test_other_words_for_an_alert(world: World, do: Do) -> None:
    do("amend", name="Load", labels={"team": "db"}, annotations={"description": "load 40"})
    alert = Alert.objects.get()
    assert (alert.name, alert.labels["team"], alert.annotations["description"]) == ("Load", "db", "load 40")
    do("amend", labels={"team": ""})
    assert "team" not in Alert.objects.get().labels
    assert world.kinds() == ["firing"]


def test_another_severity_goes_through_the_journal_and_reaches_people(world: World, do: Do) -> None:
    do("amend", severity="critical", by="ann")
    assert world.kinds() == ["firing", "firing"]
    assert world.sent[-1]["severity"] == "critical"
    entry = AlertHistory.objects.get(kind="severity")
    assert (entry.actor, entry.decision) == ("ann", AlertHistory.GROUPED)
    do("amend", severity="critical", by="ann")
    assert AlertHistory.objects.filter(kind="severity").count() == 1


def test_tags_come_and_go(do: Do) -> None:
    do("tag", text="prod, db")
    assert Alert.objects.get().labels["tags"] == "db,prod"
    do("tag", text="db,eu")
    do("untag", text="prod,nope")
    assert Alert.objects.get().labels["tags"] == "db,eu"
    do("untag", text="db,eu")
    assert "tags" not in Alert.objects.get().labels


def test_what_would_break_a_bound_is_refused_or_cut(do: Do) -> None:
    with pytest.raises(Rejected, match="labels"):
        do("amend", labels={f"l{n}": "x" for n in range(300)})
    do("amend", annotations={"description": "x" * 100_000}, name="n" * 300)
    alert = Alert.objects.get()
    assert (len(alert.annotations["description"]), len(alert.name)) == (65_536, 255)


def test_a_deed_about_no_alert_is_passed_over(world: World) -> None:
    told = Told("opsgenie", "", new_id(), world.now, True)
    deeds.perform([Deed("nobody", "note", text="x"), Deed("", "untag", text="x")], told)
    assert not AlertHistory.objects.exists()
