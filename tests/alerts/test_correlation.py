"""From journal entries to incidents: what joins, what reopens, and what people hear of, with reasons."""

from tests.statements import counted
from tests.world import World
from tocsin.alerts.correlate.step import correlate, pending
from tocsin.alerts.models import Alert, AlertHistory, Incident
from tocsin.db import bulk
from tocsin.orchestration import services as people


def _reasons() -> list[str]:
    return list(AlertHistory.objects.order_by("pk").values_list("reason", flat=True))


def _disks(world: World, *disks: str, status: str = "firing") -> None:
    """Alerts of one machine, which differ in a label that does not group."""
    labels = [{"instance": "db-1", "disk": disk} for disk in disks]
    world.post([{"name": "DiskFull", "status": status, "labels": own} for own in labels])


def test_alerts_of_one_group_share_an_incident_and_a_message(world: World) -> None:
    world.channel()
    _disks(world, "sda", "sdb", "sdc")
    world.work()
    incident = world.incident()
    assert (incident.title, incident.firing, incident.total) == ("DiskFull on db-1", 3, 3)
    assert [len(message["alerts"]) for message in world.sent] == [3]
    assert _reasons() == [
        f'opened incident #{incident.pk}: no live one has alertname="DiskFull", instance="db-1"',
        f'joined incident #{incident.pk}, which has the same alertname="DiskFull", instance="db-1"',
        f'joined incident #{incident.pk}, which has the same alertname="DiskFull", instance="db-1"',
    ]


def test_a_partial_end_is_no_message_but_has_its_reason(world: World) -> None:
    world.channel()
    _disks(world, "sda", "sdb")
    world.work()
    _disks(world, "sda", status="resolved")
    world.work()
    assert world.kinds() == ["firing"]
    incident = world.incident()
    assert (incident.status, incident.firing) == (Incident.OPEN, 1)
    assert _reasons()[-1] == f"ended; 1 other alerts of incident #{incident.pk} still fire, so no message"

    _disks(world, "sdb", status="resolved")
    world.work()
    assert world.kinds() == ["firing", "resolved"]
    assert world.incident().status == Incident.RESOLVED


def test_an_alert_that_grows_worse_after_its_incident_was_closed_opens_another(world: World) -> None:
    world.channel()
    world.fire(severity="warning")
    world.work()
    people.resolve(incident_id=world.incident().pk, actor="ann", now=world.now)
    world.forward(minutes=10)
    assert world.incident().status == Incident.CLOSED
    world.fire(severity="info")
    world.work()
    assert Incident.objects.count() == 1, "better is no news"
    world.fire(severity="critical")
    world.work()
    newest = Incident.objects.latest("pk")
    assert (newest.status, newest.severity, newest.firing) == (Incident.OPEN, "critical", 1)
    assert "worse now than the one before" in _reasons()[-1]
    assert world.kinds() == ["firing", "resolved", "firing"]
    world.resolve()
    world.work()
    assert Incident.objects.latest("pk").status == Incident.RESOLVED


def test_one_that_grows_worse_soon_after_people_resolved_it_reopens_its_incident(world: World) -> None:
    world.channel()
    world.fire(severity="warning")
    world.work()
    people.resolve(incident_id=world.incident().pk, actor="ann", now=world.now)
    world.work()
    world.fire(severity="critical")
    world.work()
    assert world.incident().status == Incident.OPEN
    assert world.kinds() == ["firing", "resolved", "firing"]
    assert _reasons()[-1].startswith("reopened incident")


def test_what_fired_and_ended_while_the_worker_was_away_gives_both_messages(world: World) -> None:
    world.channel()
    world.fire()
    world.resolve()
    world.work()
    assert world.kinds() == ["firing", "resolved"]
    assert [message["firing"] for message in world.sent] == [1, 0]
    assert [message["alerts"][0]["status"] for message in world.sent] == ["firing", "resolved"]


def test_an_alert_that_joins_an_acknowledged_incident_leaves_it_so_and_is_told_of(world: World) -> None:
    world.channel()
    _disks(world, "sda")
    world.work()
    people.acknowledge(incident_id=world.incident().pk, actor="anna", now=world.now)
    _disks(world, "sdb")
    world.work()
    incident = world.incident()
    assert (incident.status, incident.acknowledged_by, incident.firing) == (Incident.ACKNOWLEDGED, "anna", 2)
    assert [message["alerts"][0]["labels"]["disk"] for message in world.sent][-1] == "sdb"
    assert _reasons()[-1].startswith(f"joined incident #{incident.pk}")


def test_the_end_of_what_a_person_resolved_is_not_told_again(world: World) -> None:
    world.channel()
    _disks(world, "sda", "sdb")
    world.work()
    people.resolve(incident_id=world.incident().pk, actor="anna", now=world.now)
    world.work()
    assert world.kinds() == ["firing", "resolved"]
    for disk in ("sda", "sdb"):
        _disks(world, disk, status="resolved")
        world.work()
    assert world.kinds() == ["firing", "resolved"]
    assert _reasons()[-1] == f"ended; incident #{world.incident().pk} was resolved before"


def test_a_severity_that_moves_is_told_and_the_worst_stays(world: World) -> None:
    world.channel()
    for word in ("warning", "critical", "info"):
        world.fire(severity=word)
        world.work()
    assert [message["reason"] for message in world.sent] == ["fired", "severity", "severity"]
    assert world.incident().severity == "critical"
    assert _reasons()[-1] == f"severity is now info, in incident #{world.incident().pk}"


def test_the_end_of_an_alert_whose_incident_is_closed_has_its_reason(world: World) -> None:
    world.channel()
    world.fire()
    world.work()
    people.resolve(incident_id=world.incident().pk, actor="anna", now=world.now)
    world.forward(minutes=6)
    assert world.incident().status == Incident.CLOSED
    world.resolve()
    world.work()
    assert _reasons()[-1] == "the incident it belonged to is closed or gone"
    assert world.kinds() == ["firing", "resolved"]


def test_every_journal_row_has_a_decision_and_a_reason(world: World) -> None:
    world.resolve("Ghost", ended_at="2026-11-21T11:00:00Z", started_at="2026-11-21T10:00:00Z")
    for _ in range(2):
        _disks(world, "sda", "sdb")
        world.forward(minutes=1)
        world.fire(severity="critical")
        _disks(world, "sda", "sdb", status="resolved")
        world.forward(minutes=4)
    people.acknowledge(
        incident_id=Incident.objects.get(title="HighCPU on web-1").pk, actor="bo", now=world.now
    )
    assert AlertHistory.objects.count() >= 11
    for entry in AlertHistory.objects.all():
        assert entry.decision != AlertHistory.PENDING, entry
        assert entry.reason, entry


def test_thousands_of_alerts_in_one_incident_take_few_statements(world: World) -> None:
    count = 3000
    with counted() as stored:
        _disks(world, *(f"disk{n}" for n in range(count)))
    assert Alert.objects.count() == count
    assert len(stored) < 60, "alerts are written many at a time"

    with counted() as decided:
        while entries := pending(500):
            with bulk.transaction():
                correlate(entries, world.now)
    assert world.incident().firing == count
    assert len(decided) < 250, "entries are decided over many at a time"


def test_a_large_incident_is_told_in_few_messages_that_say_how_much_more_there_is(world: World) -> None:
    world.channel()
    _disks(world, *(f"disk{n}" for n in range(100)))
    world.work()
    [message] = world.sent
    assert (len(message["alerts"]), message["more_alerts"], message["firing"]) == (20, 80, 100)


def test_who_acknowledges_at_the_source_acknowledges_here(world: World) -> None:
    world.channel()
    world.fire()
    world.work()
    world.fire(status="acknowledged")
    world.work()
    incident = world.incident()
    assert (incident.status, incident.acknowledged_by) == (Incident.ACKNOWLEDGED, "generic")
    assert world.kinds() == ["firing"]
    assert _reasons()[-1] == f"acknowledged at its source, and so is incident #{incident.pk}"

    world.fire(status="acknowledged")
    world.resolve()
    world.work()
    assert world.incident().status == Incident.RESOLVED
    assert _reasons()[-2] == f"acknowledged at its source; incident #{incident.pk} is acknowledged already"


def test_nobody_can_acknowledge_what_does_not_fire(world: World) -> None:
    world.fire(status="acknowledged")
    world.work()
    assert not Incident.objects.exists()
    assert _reasons() == ["it acknowledges an alert that does not fire"]
