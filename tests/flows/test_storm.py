"""A source that opens more incidents than its budget: everything is stored, and people are woken once."""

import pytest

from tests.world import World
from tocsin.alerts import sources
from tocsin.alerts.models import Alert, AlertHistory, Incident
from tocsin.core import clock


@pytest.fixture(autouse=True)
def budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_SOURCE_BUDGET", "5")


def _burst(world: World, count: int, first: int = 0, status: str = "firing", driver: str = "generic") -> None:
    machines = (f"web-{number}" for number in range(first, first + count))
    world.post([{"name": "Down", "labels": {"instance": one}, "status": status} for one in machines], driver)
    world.work()


def test_what_is_above_the_budget_joins_one_storm_of_which_people_hear_once(world: World) -> None:
    world.channel()
    _burst(world, 20)
    assert Alert.objects.filter(status="firing").count() == 20
    assert Incident.objects.count() == 6
    storm = Incident.objects.get(title="Storm of alerts from generic")
    assert (storm.firing, storm.total, storm.labels["alertname"]) == (15, 15, "AlertStorm")
    assert world.kinds() == ["firing"] * 6

    folded = AlertHistory.objects.filter(decision=AlertHistory.FOLDED)
    assert folded.count() == 14
    assert set(folded.values_list("reason", flat=True)) == {
        f"folded into storm incident #{storm.pk}: its source has opened as many others as its budget allows"
    }
    assert {alert.incident_id for alert in Alert.objects.filter(history__in=folded)} == {storm.pk}


def test_a_storm_ends_with_its_last_alert(world: World) -> None:
    world.channel()
    _burst(world, 8)
    world.forward(seconds=1)
    _burst(world, 2, first=5, status="resolved")
    assert world.kinds() == ["firing"] * 6
    _burst(world, 1, first=7, status="resolved")
    assert world.kinds() == ["firing"] * 6 + ["resolved"]
    assert world.sent[-1]["title"] == "Storm of alerts from generic"


def test_the_budget_fills_up_evenly(world: World) -> None:
    _burst(world, 5)
    world.forward(seconds=24)  # two of five are given back
    _burst(world, 4, first=10)
    assert Incident.objects.count() == 5 + 2 + 1
    world.forward(minutes=10)  # never more than the whole
    _burst(world, 20, first=20)
    assert Incident.objects.exclude(labels__contains="AlertStorm").count() == 5 + 2 + 5


def test_what_joins_an_incident_costs_nothing(world: World) -> None:
    for _ in range(20):
        world.post([{"name": "Down", "labels": {"instance": "web-1", "disk": str(world.now)}}])
        world.forward(seconds=0.1)
    assert Incident.objects.count() == 1


def test_one_sources_storm_is_not_anothers(world: World) -> None:
    _burst(world, 8)
    assert Incident.objects.count() == 6

    sources.create_source(name="calm", labels={}, now=clock.now())
    world.post({"name": "Quiet", "labels": {"instance": "x"}}, sender="calm")
    world.work()
    assert Incident.objects.filter(title="Quiet on x").exists()


def test_a_source_may_have_a_budget_of_its_own_or_none(world: World) -> None:
    sources.create_source(name="small", labels={}, now=clock.now(), budget=1)
    sources.create_source(name="free", labels={}, now=clock.now(), budget=0)
    for name in ("small", "free"):
        alerts = [{"name": name, "labels": {"instance": f"{name}-{number}"}} for number in range(10)]
        world.post(alerts, sender=name)
    world.work()
    assert Incident.objects.filter(title__startswith="free on").count() == 10
    assert Incident.objects.filter(title__startswith="small on").count() == 1
    assert Incident.objects.get(title="Storm of alerts from small").total == 9


def test_a_storm_that_grows_worse_is_told_of_again(world: World) -> None:
    world.channel()
    _burst(world, 8)
    worst = {"name": "Down", "labels": {"instance": "core"}, "severity": "critical"}
    world.post([worst])
    world.work()
    assert world.kinds() == ["firing"] * 7
    assert world.sent[-1]["severity"] == "critical"


def test_a_source_groups_its_alerts_by_labels_of_its_own(world: World) -> None:
    sources.create_source(name="sites", labels={}, now=clock.now(), group_by=["site"])
    alerts = [{"name": f"Down{n}", "labels": {"instance": str(n), "site": "ber"}} for n in range(4)]
    world.post(alerts, sender="sites")
    world.work()
    assert world.incident().labels == {"site": "ber"}
    assert world.incident().firing == 4
    assert 'no live one has site="ber"' in AlertHistory.objects.order_by("pk")[0].reason
