"""People ask for quiet: what a silence matches is kept from them, on record, until it ends."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from tests.statements import counted
from tests.world import World
from tocsin.alerts import silences
from tocsin.alerts.correlate.step import correlate, pending
from tocsin.alerts.models import Alert, AlertHistory, Incident, Silence
from tocsin.alerts.silences import Wanted
from tocsin.alerts.unsilence import unsilence
from tocsin.core.matchers import parse
from tocsin.db import bulk
from tocsin.orchestration import services as people
from tocsin.orchestration.models import PipelineRun


@pytest.fixture
def quiet(world: World) -> World:
    """A world with a channel that hears."""
    world.channel()
    return world


def silence(world: World, text: str = "instance=web-1", minutes: float = 60, **given: Any) -> str:
    """Silence what matches, from now."""
    ends_at = world.now + timedelta(minutes=minutes)
    fields = {"created_by": "bo", "comment": "repair", **given}
    return silences.put(wanted=Wanted(parse(text), world.now, ends_at, **fields), now=world.now)


def decisions() -> list[str]:
    return list(AlertHistory.objects.order_by("pk").values_list("decision", flat=True))


def last_reason() -> str:
    return AlertHistory.objects.latest("pk").reason


def test_a_silenced_alert_opens_its_incident_and_nobody_is_told(quiet: World) -> None:
    made = silence(quiet)
    quiet.fire()
    quiet.work()
    incident = quiet.incident()
    assert (incident.status, incident.firing, incident.told) == (Incident.OPEN, 1, False)
    assert quiet.sent == []
    assert not PipelineRun.objects.exists()
    entry = AlertHistory.objects.get()
    assert entry.decision == AlertHistory.SILENCED
    assert entry.reason.startswith(f"opened incident #{incident.pk}")
    assert entry.reason.endswith(f'nobody is told: silence {made} by bo ("repair") matches it')


def test_what_it_does_not_match_is_told(quiet: World) -> None:
    silence(quiet, 'instance=~"db-.*"')
    silence(quiet, "instance=web-1,alertname=Other")
    quiet.fire()
    quiet.work()
    assert quiet.kinds() == ["firing"]


def test_an_alert_that_was_silenced_all_along_ends_in_silence(quiet: World) -> None:
    silence(quiet)
    quiet.fire()
    quiet.fire(severity="critical")
    quiet.forward(minutes=5)
    quiet.resolve()
    quiet.work()
    assert quiet.sent == []
    assert decisions() == [AlertHistory.SILENCED] * 3
    assert quiet.incident().status == Incident.RESOLVED
    assert Alert.objects.get().silenced_by == ""
    quiet.forward(hours=2)
    assert quiet.sent == []


def test_it_ends_in_silence_also_where_the_silence_ended_in_the_same_moment(quiet: World) -> None:
    made = silence(quiet)
    quiet.fire()
    quiet.work()
    quiet.now += timedelta(hours=2)
    quiet.resolve()
    quiet.work()
    assert quiet.sent == []
    assert f"nobody is told: silence {made} kept its beginning from people" in last_reason()


def test_when_the_silence_expires_people_are_told_of_what_still_fires(quiet: World) -> None:
    silence(quiet)
    quiet.fire(severity="critical", message="CPU at 97 %")
    quiet.forward(minutes=59)
    assert quiet.sent == []
    quiet.forward(minutes=2)
    assert quiet.kinds() == ["firing"]
    assert quiet.sent[0]["reason"] == "unsilenced"
    assert quiet.sent[0]["alerts"][0]["annotations"]["message"] == "CPU at 97 %"
    incident = quiet.incident()
    assert incident.told
    assert last_reason() == f"its silence is over, and it still fires, in incident #{incident.pk}"
    quiet.forward(minutes=5)
    assert quiet.kinds() == ["firing"], "once"
    quiet.resolve()
    quiet.work()
    assert quiet.kinds() == ["firing", "resolved"]


@pytest.mark.parametrize("how", ["ended by a person", "its row is gone"])
def test_a_silence_that_is_ended_early_is_over(quiet: World, how: str) -> None:
    made = silence(quiet)
    quiet.fire()
    quiet.work()
    if how == "ended by a person":
        silences.expire(silence_id=made, now=quiet.now)
    else:
        Silence.objects.all().delete()
    quiet.work()
    assert quiet.kinds() == ["firing"]


def test_what_another_silence_matches_too_stays_silent(quiet: World) -> None:
    first = silence(quiet, minutes=10)
    quiet.fire()
    quiet.work()
    second = silence(quiet, "alertname=HighCPU")
    assert Alert.objects.get().silenced_by == first
    quiet.forward(minutes=11)
    assert quiet.sent == []
    assert Alert.objects.get().silenced_by == second
    assert second in last_reason()
    quiet.forward(hours=1)
    assert quiet.kinds() == ["firing"]


def test_a_silence_that_is_made_longer_holds_on(quiet: World) -> None:
    made = silence(quiet, minutes=10)
    quiet.fire()
    quiet.forward(minutes=5)
    found = Silence.objects.get()
    longer = Wanted(parse("instance=web-1"), found.starts_at, quiet.now + timedelta(hours=1), id=made)
    assert silences.put(wanted=longer, now=quiet.now) == made
    quiet.forward(minutes=30)
    assert quiet.sent == []


def test_a_change_of_an_alert_people_know_of_is_silenced_and_not_told_later(quiet: World) -> None:
    quiet.fire(severity="warning")
    quiet.work()
    silence(quiet, minutes=10)
    quiet.fire(severity="critical")
    quiet.work()
    assert quiet.kinds() == ["firing"]
    assert decisions() == [AlertHistory.GROUPED, AlertHistory.SILENCED]
    quiet.forward(minutes=20)
    assert quiet.kinds() == ["firing"], "they know that it fires"
    quiet.resolve()
    quiet.work()
    assert quiet.kinds() == ["firing", "resolved"]


def test_an_end_under_a_silence_is_not_told(quiet: World) -> None:
    quiet.fire()
    quiet.work()
    silence(quiet)
    quiet.resolve()
    quiet.work()
    assert quiet.kinds() == ["firing"]
    assert decisions()[-1] == AlertHistory.SILENCED


def test_people_who_were_told_of_an_incident_hear_its_end_though_a_silenced_alert_ends_last(
    quiet: World,
) -> None:
    def disk(name: str, status: str) -> None:
        labels = {"instance": "db-1", "disk": name}
        quiet.post({"name": "DiskFull", "labels": labels, "status": status})
        quiet.work()

    silence(quiet, "disk=sdb")
    disk("sda", "firing")
    disk("sdb", "firing")
    disk("sda", "resolved")
    assert quiet.kinds() == ["firing"]
    disk("sdb", "resolved")
    assert quiet.kinds() == ["firing", "resolved"]
    assert not quiet.incident().told


def test_an_incident_that_a_person_resolved_is_not_told_of_again(quiet: World) -> None:
    silence(quiet, minutes=2)
    quiet.fire()
    quiet.work()
    people.resolve(incident_id=quiet.incident().pk, actor="ann", now=quiet.now)
    quiet.work()
    assert quiet.kinds() == ["resolved"]
    quiet.forward(minutes=3)
    assert "was resolved before, so no message" in last_reason()
    quiet.forward(minutes=10)
    assert quiet.kinds() == ["resolved"]
    assert len(decisions()) == 3


def test_one_whose_incident_is_closed_is_not_asked_about_for_ever(quiet: World) -> None:
    silence(quiet, minutes=20)
    quiet.fire()
    quiet.work()
    people.resolve(incident_id=quiet.incident().pk, actor="ann", now=quiet.now)
    quiet.forward(minutes=10)
    assert quiet.incident().status == Incident.CLOSED
    quiet.forward(minutes=20)
    assert last_reason() == "the incident it belonged to is closed or gone"
    before = AlertHistory.objects.count()
    quiet.forward(minutes=20)
    assert AlertHistory.objects.count() == before


def test_what_fired_again_before_the_sweep_is_told_once(quiet: World) -> None:
    silence(quiet, minutes=10)
    quiet.fire()
    quiet.work()
    quiet.now += timedelta(minutes=11)
    quiet.resolve()
    quiet.fire()
    assert unsilence(quiet.now) == 0, "changes that wait are decided over first"
    quiet.work()
    assert quiet.kinds() == ["firing"]
    assert Alert.objects.get().silenced_by == ""


def test_two_workers_that_sweep_at_once_tell_once(quiet: World) -> None:
    silence(quiet, minutes=10)
    quiet.fire()
    quiet.work()
    quiet.now += timedelta(minutes=11)
    assert unsilence(quiet.now) == 1
    entry = AlertHistory.objects.latest("pk")
    entry.pk = None
    entry.save()
    quiet.work()
    assert quiet.kinds() == ["firing"]
    assert "people know of it already" in last_reason()


def test_a_crash_after_the_sweep_loses_nothing(quiet: World) -> None:
    silence(quiet, minutes=10)
    quiet.fire()
    quiet.work()
    quiet.now += timedelta(minutes=11)
    assert unsilence(quiet.now) == 1
    assert unsilence(quiet.now) == 0
    quiet.work()
    assert quiet.kinds() == ["firing"]


def test_thousands_of_silences_cost_one_query_a_batch(quiet: World) -> None:
    rows = [
        Silence(id=f"{n:036}", starts_at=quiet.now, ends_at=quiet.now + timedelta(hours=1),
                updated_at=quiet.now,
                matchers=[{"name": "instance", "value": f"db-{n}", "isRegex": False, "isEqual": True}])
        for n in range(3_000)
    ]  # fmt: skip
    Silence.objects.bulk_create(rows)
    quiet.post([{"name": "HighCPU", "labels": {"instance": f"db-{n}"}} for n in range(200)])
    with counted() as statements, bulk.transaction():
        assert correlate(pending(500), quiet.now) == []
    assert sum("alerts_silence" in statement for statement in statements) == 1
    assert set(decisions()) == {AlertHistory.SILENCED}


def test_the_sweep_looks_at_silenced_alerts_alone(world: World) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("the plan is SQLite's")
    world.fire()
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN QUERY PLAN SELECT id FROM alerts_alert a WHERE a.silenced_by > ''")
        assert "alert_silenced" in str(cursor.fetchall())
