"""Channels and deliveries: the verbs, and the only code that writes them."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from pydantic import BaseModel, ValidationError

from tocsin.alerts.models import Incident
from tocsin.alerts.news import ChangedAlert, News
from tocsin.alerts.transition import ENDING
from tocsin.core import loglink, secret_fields
from tocsin.core.errors import Rejected, TocsinError, Unknown
from tocsin.core.http import Client
from tocsin.core.ids import new_id
from tocsin.db import bulk
from tocsin.notify import rows, watch
from tocsin.notify.discreet import Discreet
from tocsin.notify.drivers import BaseDriver, drivers
from tocsin.notify.message import ALERTS_SHOWN, FIRING, RESOLVED, TEST, Message, MessageAlert
from tocsin.notify.models import ChannelPace, Delivery, DriverTemplates, NotificationChannel
from tocsin.notify.setup import LONGEST_NAME, Setup, Wrong, check_name, check_templates, columns
from tocsin.notify.terms import written_of
from tocsin.notify.timing import Timed, Timing, bring_forward, plan

LEASE = timedelta(seconds=60)
STANDARD: Final = Setup()
REQUEUED_AT_ONCE: Final = 500  # no database takes any number of parameters
_RUNBOOKS = ("runbook_url", "runbook", "runbookUrl")


def read_config(driver: str, given: dict[str, Any]) -> BaseModel:
    """Validate a channel's config. Raises Rejected, which names the field, or UnknownPlugin."""
    try:
        return drivers.get(driver).Config.model_validate(given)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'config'}: {e['msg']}" for e in error.errors())
        raise Rejected(f"{driver}: {wrong}") from None  # pydantic's own text would show secrets


def sender(channel: NotificationChannel) -> BaseDriver[Any]:
    """A channel's driver, ready to send. Raises Rejected or UnknownPlugin."""
    kind = drivers.get(channel.driver)
    return kind(read_config(channel.driver, channel.config))


def masked(channel: NotificationChannel) -> dict[str, Any]:
    """A channel's config to show: secrets as dots."""
    return secret_fields.masked(drivers.get(channel.driver).Config, channel.config)


def add_channel(
    *, name: str, driver: str, given: dict[str, Any], setup: Setup = STANDARD, now: datetime
) -> NotificationChannel:
    """Make a channel. Raises Rejected when the name is taken, or the config or set-up is wrong."""
    check_name(name)
    config = secret_fields.revealed(read_config(driver, given))
    with _one_of(name), transaction.atomic():
        _check_free(name)
        more = columns(setup, driver)
        return NotificationChannel.objects.create(
            name=name, driver=driver, config=config, created_at=now, **more
        )


def change_channel(*, channel_id: int, name: str, given: dict[str, Any], setup: Setup) -> NotificationChannel:
    """Change a channel's name, config and set-up; where dots stand its secrets are as they were.

    Raises Rejected when the name is taken or something is wrong, Unknown when there is no such channel.
    """
    check_name(name)
    with _one_of(name), transaction.atomic():
        channel = NotificationChannel.objects.select_for_update().filter(pk=channel_id).first()
        if channel is None:
            raise Unknown(f"there is no channel {channel_id}")
        if name != channel.name:
            _check_free(name)
        kind = drivers.get(channel.driver)
        known = secret_fields.unmasked(kind.Config, given, channel.config)
        config = secret_fields.revealed(read_config(channel.driver, known))
        if config != channel.config:
            _begin_anew(channel)
        channel.config, channel.name = config, name
        for column, value in columns(setup, channel.driver, channel).items():
            setattr(channel, column, value)
        channel.save()
    return channel


def _begin_anew(channel: NotificationChannel) -> None:
    """What it posted is not found by another driver, or in another place; and it may be tried at once."""
    channel.threads.update(handle={})
    ChannelPace.objects.filter(channel=channel).update(paused_until=None)


def _check_free(name: str) -> None:
    if NotificationChannel.objects.filter(name=name).exists():
        raise _taken(name)


def _taken(name: str) -> Wrong:
    return Wrong("name", f"there is already a channel named {name!r}")


@contextmanager
def _one_of(name: str) -> Iterator[None]:
    """Two who take the same name at once: the database lets one have it."""
    try:
        yield
    except IntegrityError as error:
        raise _taken(name) from error


def named_channel(name: str) -> NotificationChannel:
    """The channel of that name. Raises Unknown."""
    found: NotificationChannel | None = None
    if "\0" not in name:
        found = NotificationChannel.objects.filter(name=name).first()
    if found is None:
        raise Unknown(f"there is no channel named {name[:LONGEST_NAME]!r}")
    return found


def put_channel(*, name: str, driver: str, given: dict[str, Any], now: datetime) -> NotificationChannel:
    """Make a channel, or change and enable the one of that name. Raises Rejected when the config is wrong."""
    config = secret_fields.revealed(read_config(driver, given))
    values = {"driver": driver, "config": config, "enabled": True}
    with transaction.atomic():
        channel = NotificationChannel.objects.select_for_update().filter(name=name).first()
        if channel is None:
            return NotificationChannel.objects.create(name=name, created_at=now, **values)
        if (channel.driver, channel.config) != (driver, config):
            _begin_anew(channel)
        channel.driver, channel.config, channel.enabled = driver, config, True
        channel.save()
    return channel


def put_templates(*, driver: str, subject: str, body: str) -> None:
    """What all channels of a driver say that have no templates of their own; two empty ones leave it to
    Tocsin. Raises Rejected, or UnknownPlugin."""
    drivers.get(driver)
    check_templates(subject, body)
    if not (subject or body):
        DriverTemplates.objects.filter(pk=driver).delete()
        return
    given = {"subject_template": subject, "body_template": body}
    DriverTemplates.objects.update_or_create(driver=driver, defaults=given)


def remove_channel(*, name: str, now: datetime) -> None:
    """Remove a channel and its deliveries. Raises Rejected when there is none of that name."""
    with transaction.atomic():
        channel = NotificationChannel.objects.select_for_update().defer("config").filter(name=name).first()
        if channel is None:
            raise Rejected(f"there is no channel named {name!r}")
        watch.remove(channel, now)
        channel.delete()


def enable_channel(*, name: str, enabled: bool) -> None:
    """Let a channel get messages, or no more of them. Raises Rejected when there is none of that name."""
    if not NotificationChannel.objects.filter(name=name).update(enabled=enabled):
        raise Rejected(f"there is no channel named {name!r}")


def requeue(*, delivery_ids: Iterable[str], now: datetime) -> int:
    """Take deliveries out of the dead letters and send them again; return how many there were."""
    keys, count = list(delivery_ids), 0
    for start in range(0, len(keys), REQUEUED_AT_ONCE):
        chosen = Delivery.objects.filter(pk__in=keys[start : start + REQUEUED_AT_ONCE])
        count += _alive_again(chosen, now)
    return count


def requeue_all(*, channel: str = "", now: datetime) -> int:
    """The same with all dead letters, or all of one channel; some thousand at a time, so that nobody else
    waits long for the database. Those that die again meanwhile are not taken twice. Raises Unknown."""
    dead = Delivery.objects.filter(state=Delivery.DEAD)
    if channel:
        dead = dead.filter(channel=named_channel(channel))
    last, count = "", 0
    while True:
        keys = list(dead.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:REQUEUED_AT_ONCE])
        if not keys:
            return count
        count += _alive_again(Delivery.objects.filter(pk__in=keys), now)
        last = keys[-1]


def _alive_again(chosen: QuerySet[Delivery], now: datetime) -> int:
    dead = chosen.filter(state=Delivery.DEAD)
    return dead.update(state=Delivery.PENDING, due_at=now, attempts=0, lease="")


def compose(news: News, findings: Sequence[str]) -> Message:
    """What people are told of an incident's news; ``id`` is filled in for each delivery."""
    resolved = news.status == Incident.RESOLVED
    alerts = [_alert(change) for change in news.changes[:ALERTS_SHOWN]]
    runbooks = (
        notes[key] for c in news.changes for notes in (c.annotations,) for key in _RUNBOOKS if key in notes
    )
    return Message(
        id="",
        kind=RESOLVED if resolved else FIRING,
        reason=news.reason,
        title=news.title,
        severity=news.severity,
        trace_id=news.trace_id,
        url=f"{settings.PUBLIC_URL}/incidents/{news.incident_id}/",
        incident_id=news.incident_id,
        status=news.status,
        labels=news.labels,
        firing=news.firing,
        total=news.total,
        opened_at=news.opened_at,
        alerts=alerts,
        more_alerts=max(0, len(news.changes) - ALERTS_SHOWN),
        findings=list(findings),
        logs=_logs(news),
        actor=news.actor,
        runbook=next((link for link in runbooks if link.startswith(("http://", "https://"))), ""),
    )


def _logs(news: News) -> str:
    times = [at for change in news.changes for at in (change.started_at, change.ended_at) if at is not None]
    ended = max([news.opened_at, *times])
    return loglink.link(settings.LOG_LINK, news.trace_id, news.opened_at, ended, settings.PUBLIC_URL)


def test_message(now: datetime, trace_id: str) -> Message:
    """What "send test" sends."""
    return Message(
        id=new_id(),
        kind=TEST,
        reason="test",
        title="Test message from Tocsin",
        severity="info",
        trace_id=trace_id,
        url=settings.PUBLIC_URL,
        alerts=[
            MessageAlert(
                name="TestAlert",
                status="firing",
                severity="info",
                fingerprint="",
                labels={"instance": settings.INSTANCE_ID},
                annotations={"summary": "If you can read this, the channel works."},
                started_at=now,
            )
        ],
    )


def send_test(*, driver: BaseDriver[Any], now: datetime) -> str:
    """Send a test message now, past the outbox; return what the receiver said.

    Raises Unavailable or Rejected as the driver does.
    """
    return asyncio.run(_send_alone(driver, test_message(now, new_id())))


def send_test_to(*, channel: NotificationChannel, now: datetime) -> str:
    """The same by a stored channel, in the words of its templates."""
    message = test_message(now, new_id())
    usual = DriverTemplates.objects.filter(pk=channel.driver).first()
    return asyncio.run(_send_alone(sender(channel), written_of(channel, usual).of(message)))


async def _send_alone(driver: BaseDriver[Any], message: Message) -> str:
    http, discreet = Client(), Discreet(driver.config)
    try:
        return discreet.told(await driver.send(message, http))
    except TocsinError as error:
        error.args = (discreet.told(str(error)),)
        raise
    finally:
        http.close()


def _alert(change: ChangedAlert) -> MessageAlert:
    return MessageAlert(
        name=change.name,
        status="resolved" if change.kind in ENDING else "firing",
        severity=change.severity,
        fingerprint=change.fingerprint,
        labels=change.labels,
        annotations=change.annotations,
        started_at=change.started_at,
        ended_at=change.ended_at,
        generator_url=change.generator_url,
    )


class Outgoing(msgspec.Struct):
    """A delivery about to be made."""

    channel_id: int
    incident_id: int | None
    run_id: str
    stage: str  # the node of the run that tells it
    message: Message  # with its id
    timing: Timing | None = None  # of the route that leads there


def addressed(
    message: Message, channel_ids: Iterable[int], incident_id: int | None, run_id: str, stage: str
) -> list[Outgoing]:
    """One delivery for each channel."""
    return [
        Outgoing(channel, incident_id, run_id, stage, msgspec.structs.replace(message, id=new_id()))
        for channel in channel_ids
    ]


def create_deliveries(
    outgoing: Sequence[Outgoing], now: datetime, token: str, room: Mapping[int, int]
) -> list[Outgoing]:
    """Write deliveries, leased to the caller, who sends them as soon as its transaction is committed.

    Returns those leased. The others are due, for whoever claims them: there was no ``room`` left for
    their channel, or they wait behind an earlier message of the same incident.
    """
    waiting = _incidents_with_earlier(outgoing)
    planned = _planned(outgoing, now)
    left = dict(room)
    stamp, lease_end = bulk.moment(now), bulk.moment(now + LEASE)
    new, leased, behind = [], [], set()
    for item in outgoing:
        pair = (item.incident_id, item.channel_id)
        later = planned.get(item.message.id)
        if item.timing is None and pair in waiting:
            behind.add((item.channel_id, item.incident_id))
        mine = left.get(item.channel_id, 0) > 0 and pair not in waiting and later is None
        waiting.add(pair)
        left[item.channel_id] = left.get(item.channel_id, 0) - mine
        due, lease = (lease_end, token) if mine else (bulk.moment(later) if later else stamp, "")
        new.append(
            rows.row(
                item.message, item.channel_id, item.incident_id, item.run_id, item.stage, stamp, due, lease
            )
        )
        if mine:
            leased.append(item)
    rows.insert(new)
    if behind:
        bring_forward(behind, now)
    return leased


def _planned(outgoing: Sequence[Outgoing], now: datetime) -> dict[str, datetime]:
    """By message, when those go that a route holds back."""
    timed = {
        item.message.id: Timed(item.channel_id, item.incident_id, item.message.kind, item.timing)
        for item in outgoing
        if item.timing is not None
    }
    if not timed:
        return {}
    due = zip(timed, plan(list(timed.values()), now), strict=True)
    return {key: at for key, at in due if at > now}


def _incidents_with_earlier(outgoing: Sequence[Outgoing]) -> set[tuple[int | None, int]]:
    """Which (incident, channel) pairs still have a message on its way: order is kept within them."""
    incidents = {item.incident_id for item in outgoing if item.incident_id is not None}
    where, params = bulk.among("incident_id", incidents)
    sql = f"SELECT DISTINCT incident_id, channel_id FROM notify_delivery WHERE {where} AND due_at IS NOT NULL"  # noqa: S608
    return set(bulk.fetch(sql, params)) if incidents else set()
