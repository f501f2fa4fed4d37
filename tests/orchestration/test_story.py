"""One command tells what was decided, when, and why."""

import msgspec
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.world import World
from tocsin.alerts.models import Alert, AlertHistory
from tocsin.core.errors import Rejected
from tocsin.notify.models import Delivery
from tocsin.orchestration import services as orchestration
from tocsin.orchestration import story
from tocsin.orchestration.models import PipelineRun


@pytest.fixture
def told(world: World) -> World:
    """A night: it fires, alice takes it on, it ends."""
    world.channel("on-call")
    world.fire(severity="critical", message="CPU at 97 %")
    world.work()
    orchestration.acknowledge(incident_id=world.incident().pk, actor="alice", now=world.now)
    world.forward(minutes=5)
    world.resolve()
    world.work()
    return world


def test_an_incident_has_everything(told: World) -> None:
    found = story.tell(f"#{told.incident().pk}")
    assert (found.about, found.cut) == ("incident", [])
    assert [entry.kind for entry in found.entries] == ["fired", "acknowledged", "resolved"]
    assert [(run.reason, run.state) for run in found.runs] == [
        ("fired", "NOTIFIED"),
        ("resolved", "NOTIFIED"),
    ]
    assert [stage.stage for stage in found.runs[0].stages] == ["INGEST", "CHECK", "ANALYZE", "NOTIFY"]
    assert [(sent.kind, sent.state, sent.answer) for sent in found.deliveries] == [
        ("firing", "sent", "HTTP 200"),
        ("resolved", "sent", "HTTP 200"),
    ]
    assert found.incidents[0].acknowledged_by == "alice"
    assert story.tell(str(told.incident().pk)) == found


def test_each_id_leads_to_its_part(told: World) -> None:
    first = PipelineRun.objects.order_by("pk")[0]
    sent = Delivery.objects.get(run_id=first.pk)
    for name, about in ((first.trace_id, "trace"), (first.pk, "run"), (sent.pk, "delivery")):
        found = story.tell(name)
        assert found.about == about
        assert [entry.kind for entry in found.entries] == ["fired"]
        assert [run.run_id for run in found.runs] == [first.pk]
        assert [delivery.id for delivery in found.deliveries] == [sent.pk]
        assert [incident.id for incident in found.incidents] == [told.incident().pk]

    found = story.tell(Alert.objects.get().fingerprint)
    assert found.about == "alert"
    assert [entry.kind for entry in found.entries] == ["fired", "resolved"]
    assert len(found.runs) == len(found.deliveries) == 2


def test_changes_that_share_a_run_all_lead_to_it(world: World) -> None:
    world.channel()
    world.fire(fingerprint="a" * 16)
    world.fire(fingerprint="b" * 16)
    world.work()
    run = PipelineRun.objects.get()
    for entry in AlertHistory.objects.all():
        assert [found.run_id for found in story.tell(entry.trace_id).runs] == [run.pk]


def test_an_end_without_a_beginning_is_explained(world: World) -> None:
    world.resolve(fingerprint="never-seen")
    found = story.tell("never-seen")
    assert [(entry.decision, entry.reason) for entry in found.entries] == [
        ("ignored", "it ends an alert that was not open")
    ]


def test_why_nobody_was_told(world: World) -> None:
    world.fire()
    world.work()
    (run,) = story.tell("1" if world.incident().pk == 1 else str(world.incident().pk)).runs
    assert run.stages[-1].note == "there is no enabled channel"


def test_what_a_dead_channel_said(world: World) -> None:
    world.channel()
    world.receiver.default.status, world.receiver.default.body = 410, b"channel is archived"
    world.fire()
    world.work()
    (sent,) = story.tell(AlertHistory.objects.earliest("pk").trace_id).deliveries
    assert (sent.state, sent.last_error) == ("dead", "HTTP 410: channel is archived")


def test_what_waits_says_so(world: World) -> None:
    world.fire()
    found = story.tell(AlertHistory.objects.get().trace_id)
    assert [entry.decision for entry in found.entries] == [""]
    assert found.incidents == found.runs == []


def test_the_newest_of_many(world: World) -> None:
    for number in range(story.LIMIT + 5):
        world.fire(fingerprint=f"fingerprint-{number}")
    world.work()
    found = story.tell(str(world.incident().pk))
    assert found.cut == ["entries"]
    assert len(found.entries) == story.LIMIT
    assert found.entries[-1].fingerprint == f"fingerprint-{story.LIMIT + 4}"


@pytest.mark.parametrize("name", ["", "nothing", "#99999", "9" * 40, "0", "' OR 1=1 --"])
def test_what_nobody_knows(name: str, db: None) -> None:
    with pytest.raises(Rejected, match="nothing here is known as"):
        story.tell(name)


def test_it_is_plain(told: World) -> None:
    found = story.tell(str(told.incident().pk))
    assert msgspec.json.decode(msgspec.json.encode(found), type=story.Story) == found


def test_no_question_reads_a_whole_table(told: World) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("plans are read on SQLite")
    run = PipelineRun.objects.order_by("pk")[0]
    delivery = Delivery.objects.order_by("pk")[0]
    fingerprint = Alert.objects.get().fingerprint
    names = (f"#{told.incident().pk}", run.trace_id, run.pk, delivery.pk, fingerprint)
    with CaptureQueriesContext(connection) as asked:
        for name in names:
            story.tell(name)
    queries = [query["sql"] for query in asked] + [story._IGNORED.replace("%s", "'x'")]
    assert len(queries) > 20
    with connection.cursor() as cursor:
        for query in queries:
            cursor.execute(f"EXPLAIN QUERY PLAN {query}")
            plan = [row[3] for row in cursor.fetchall()]
            assert not [step for step in plan if step.startswith("SCAN")], (query, plan)
