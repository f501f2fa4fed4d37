"""An alert comes in, is safe, and reaches people."""

from tests.world import World
from tocsin.alerts.models import Alert, AlertHistory, Incident
from tocsin.notify.models import Delivery
from tocsin.orchestration import services
from tocsin.orchestration.models import PipelineRun


def test_a_firing_alert_reaches_the_channel_and_so_does_its_end(world: World) -> None:
    world.channel()
    world.fire(severity="critical", message="CPU at 97 %")
    world.work()

    incident = world.incident()
    assert incident.title == "HighCPU on web-1"
    assert (incident.status, incident.severity, incident.firing) == ("open", "critical", 1)
    assert world.sent[0]["kind"] == "firing"
    assert world.sent[0]["alerts"][0]["annotations"]["message"] == "CPU at 97 %"

    world.forward(minutes=3)
    world.resolve()
    world.work()

    assert world.kinds() == ["firing", "resolved"]
    assert world.incident().status == Incident.RESOLVED
    assert set(PipelineRun.objects.values_list("state", flat=True)) == {PipelineRun.NOTIFIED}
    assert set(Delivery.objects.values_list("state", flat=True)) == {Delivery.SENT}


def test_repeated_messages_change_nothing(world: World) -> None:
    world.channel()
    for _ in range(5):
        world.fire()
        world.forward(seconds=30)
    assert world.kinds() == ["firing"]
    assert AlertHistory.objects.count() == 1
    assert Alert.objects.get().seen_at > Alert.objects.get().started_at


def test_an_alert_that_fires_again_soon_reopens_its_incident(world: World) -> None:
    world.channel()
    world.fire()
    world.work()
    world.resolve()
    world.forward(minutes=1)
    world.fire()
    world.work()
    assert world.kinds() == ["firing", "resolved", "firing"]
    assert world.incident().status == Incident.OPEN
    assert Alert.objects.get().episode == 2


def test_an_incident_that_reopens_waits_for_somebody_again(world: World) -> None:
    world.fire()
    world.work()
    services.acknowledge(incident_id=world.incident().pk, actor="ann", now=world.now)
    world.resolve()
    world.work()
    assert world.incident().acknowledged_by == "ann"
    world.forward(minutes=1)
    world.fire()
    world.work()
    incident = world.incident()
    assert (incident.status, incident.acknowledged_by, incident.acknowledged_at) == ("open", "", None)


def test_a_resolved_incident_closes_and_the_next_episode_opens_another(world: World) -> None:
    world.fire()
    world.work()
    world.resolve()
    world.work()
    world.forward(minutes=6)
    assert world.incident().status == Incident.CLOSED
    world.fire()
    world.work()
    assert sorted(Incident.objects.values_list("status", flat=True)) == ["closed", "open"]


def test_prometheus_alert_expires_when_its_source_falls_silent(world: World) -> None:
    world.channel()
    world.post(
        [{"labels": {"alertname": "Down", "instance": "a"}, "endsAt": "2026-11-21T12:04:00Z"}], "prometheus"
    )
    world.forward(minutes=3)
    assert world.kinds() == ["firing"]
    world.forward(minutes=2)
    assert world.kinds() == ["firing", "resolved"]
    assert Alert.objects.get().timed_out
    assert "fell silent" in AlertHistory.objects.latest("id").reason


def test_the_worst_of_each_decision_is_explained(world: World) -> None:
    world.fire()
    world.work()
    entry = AlertHistory.objects.get()
    assert entry.decision == AlertHistory.GROUPED
    assert f"opened incident #{entry.incident_id}" in entry.reason
