"""Durable work: whoever claims a row may write it, until another has claimed it."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from tests.notify.messages import message
from tocsin.alerts.models import Incident
from tocsin.db.work import Worker
from tocsin.notify import outbox
from tocsin.notify import services as notify
from tocsin.notify.models import Delivery, NotificationChannel
from tocsin.notify.outcome import Outcome
from tocsin.notify.sending import Parcel
from tocsin.notify.services import LEASE
from tocsin.notify.terms import Terms
from tocsin.orchestration.models import PipelineRun

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
pytestmark = pytest.mark.django_db(transaction=True)


def _run(name: str, due: datetime | None = NOON) -> PipelineRun:
    return PipelineRun.objects.create(run_id=name, trace_id="t", reason="fired", created_at=NOON, due_at=due)


def _claim(worker: Worker, now: datetime = NOON, limit: int = 10) -> tuple[str, list[str]]:
    token = worker.token()
    return token, PipelineRun.objects.claim(token, now, MINUTE, limit)


def test_due_rows_are_claimed_oldest_first_and_once() -> None:
    for number in range(5):
        _run(f"run{number}", NOON - number * MINUTE)
    _run("later", NOON + MINUTE)
    _run("finished", None)
    anna, bo = Worker(), Worker()
    assert _claim(anna, limit=2)[1] == ["run4", "run3"]
    assert _claim(bo)[1] == ["run2", "run1", "run0"]
    assert _claim(anna)[1] == []


def test_a_claim_counts_the_try_and_ends_by_itself() -> None:
    _run("run")
    token, _ = _claim(Worker())
    run = PipelineRun.objects.get()
    assert (run.lease, run.attempts, run.due_at) == (token, 1, NOON + MINUTE)
    assert _claim(Worker(), NOON + MINUTE - timedelta(seconds=1))[1] == []
    assert _claim(Worker(), NOON + MINUTE)[1] == ["run"]
    assert PipelineRun.objects.get().attempts == 2


def test_tokens_differ_between_claims_and_workers() -> None:
    anna, bo = Worker(), Worker()
    assert len({anna.token(), anna.token(), bo.token(), bo.token(), Worker().token()}) == 5


def test_a_row_is_held_by_its_newest_token_alone() -> None:
    _run("run")
    stale, _ = _claim(Worker())
    fresh, _ = _claim(Worker(), NOON + MINUTE)
    assert PipelineRun.objects.held(stale, ["run"]) == set()
    assert PipelineRun.objects.held(fresh, ["run", "nope"]) == {"run"}
    assert PipelineRun.objects.held(fresh, []) == set()


def test_what_a_dead_worker_held_is_due_at_once() -> None:
    anna, bo = Worker(), Worker()
    _run("hers")
    _claim(anna)
    _run("his")
    _claim(bo)
    _run("finished", None)
    assert PipelineRun.objects.release(anna.name, NOON) == 1
    assert _claim(bo)[1] == ["hers"]


@pytest.fixture
def channel() -> NotificationChannel:
    return notify.add_channel(name="c", driver="webhook", given={"url": "http://127.0.0.1:1"}, now=NOON)


def _delivery(channel: NotificationChannel, name: str, incident: Incident | None = None) -> Delivery:
    return Delivery.objects.create(
        id=name, channel=channel, incident=incident, run_id=name, trace_id="t", kind="firing",
        message=msgspec.to_builtins(message(id=name)), created_at=NOON, due_at=NOON,
    )  # fmt: skip


def _incident() -> Incident:
    return Incident.objects.create(title="x", severity="info", trace_id="t", opened_at=NOON, updated_at=NOON)


@pytest.mark.parametrize("error", ["", "HTTP 500"])
def test_a_late_writer_with_a_stale_token_changes_nothing(channel: NotificationChannel, error: str) -> None:
    _delivery(channel, "d1")
    assert [due.delivery_id for due in outbox.claim(Terms(channel.pk), 10, "anna.1", NOON)] == ["d1"]
    assert outbox.claim(Terms(channel.pk), 10, "bo.1", NOON) == []
    assert [due.delivery_id for due in outbox.claim(Terms(channel.pk), 10, "bo.2", NOON + LEASE)] == ["d1"]

    before = Delivery.objects.values().get()
    outbox.finish([Outcome("d1", "anna.1", answer="late", error=error)], NOON + LEASE)
    assert Delivery.objects.values().get() == before

    outbox.finish([Outcome("d1", "bo.2", answer="HTTP 200")], NOON + LEASE)
    after = Delivery.objects.get()
    assert (after.state, after.answer, after.attempts, after.due_at) == (Delivery.SENT, "HTTP 200", 2, None)


def test_of_one_incident_only_the_earliest_message_can_be_claimed(channel: NotificationChannel) -> None:
    incident = _incident()
    for name in ("d1", "d2", "d3"):
        _delivery(channel, name, incident)
    _delivery(channel, "e1", _incident())
    _delivery(channel, "f1")
    claimed = [due.delivery_id for due in outbox.claim(Terms(channel.pk), 10, "anna.1", NOON)]
    assert sorted(claimed) == ["d1", "e1", "f1"]
    outbox.finish([Outcome("d1", "anna.1", error="HTTP 404", final=True)], NOON)
    assert [due.delivery_id for due in outbox.claim(Terms(channel.pk), 10, "anna.2", NOON)] == ["d2"]


def test_what_was_not_begun_is_given_back(channel: NotificationChannel) -> None:
    _delivery(channel, "d1")
    [due] = outbox.claim(Terms(channel.pk), 10, "anna.1", NOON)
    outbox.release([Parcel(due.delivery_id, "stale.9", 0, due.message)], NOON)
    assert outbox.claim(Terms(channel.pk), 10, "bo.1", NOON) == []
    outbox.release([Parcel(due.delivery_id, "anna.1", 0, due.message)], NOON)
    assert len(outbox.claim(Terms(channel.pk), 10, "bo.2", NOON)) == 1


def test_what_is_given_back_is_due_at_once_and_counts_as_no_try() -> None:
    for name in ("first", "second", "another's"):
        _run(name)
    anna, bo = Worker(), Worker()
    _claim(anna, limit=2)
    _claim(bo)
    later = NOON + timedelta(seconds=5)
    assert PipelineRun.objects.give_back(anna.name, later) == 2
    given = PipelineRun.objects.filter(lease="").values_list("due_at", "attempts")
    assert list(given) == [(later, 0), (later, 0)]
    assert _claim(bo, later, limit=5)[1] != [], "anybody's"
    assert PipelineRun.objects.give_back(anna.name, later) == 0
