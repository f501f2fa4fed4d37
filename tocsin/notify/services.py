"""Channels and deliveries: the verbs, and the only code that writes them."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from django.conf import settings
from pydantic import BaseModel, SecretStr, ValidationError

from tocsin.alerts.models import Incident
from tocsin.alerts.news import ChangedAlert, News
from tocsin.alerts.transition import ENDING
from tocsin.core import loglink
from tocsin.core.errors import Rejected
from tocsin.core.http import Client
from tocsin.core.ids import new_id
from tocsin.db import bulk
from tocsin.notify import rows
from tocsin.notify.drivers import BaseDriver, drivers
from tocsin.notify.message import ALERTS_SHOWN, FIRING, RESOLVED, TEST, Message, MessageAlert
from tocsin.notify.models import Delivery, NotificationChannel
from tocsin.notify.timing import Timed, Timing, plan

LEASE = timedelta(seconds=60)
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


def plain(given: BaseModel) -> dict[str, Any]:
    """A validated config as it is stored: secrets in clear, to be encrypted as a whole."""
    return {
        name: value.get_secret_value() if isinstance(value, SecretStr) else value
        for name, value in given
        if name in given.model_fields_set
    }


def masked(channel: NotificationChannel) -> dict[str, Any]:
    """A channel's config to show: secrets as dots."""
    fields = drivers.get(channel.driver).Config.model_fields
    return {
        name: "••••••" if name in fields and fields[name].annotation is SecretStr and value else value
        for name, value in channel.config.items()
    }


def add_channel(*, name: str, driver: str, given: dict[str, Any], now: datetime) -> NotificationChannel:
    """Make a channel. Raises Rejected when the name is taken or the config is wrong."""
    if NotificationChannel.objects.filter(name=name).exists():
        raise Rejected(f"there is already a channel named {name!r}")
    config = read_config(driver, given)
    return NotificationChannel.objects.create(name=name, driver=driver, config=plain(config), created_at=now)


def put_channel(*, name: str, driver: str, given: dict[str, Any], now: datetime) -> NotificationChannel:
    """Make a channel, or change and enable the one of that name. Raises Rejected when the config is wrong."""
    values = {"driver": driver, "config": plain(read_config(driver, given)), "enabled": True}
    channel, _ = NotificationChannel.objects.update_or_create(
        name=name, defaults=values, create_defaults={**values, "created_at": now}
    )
    return channel


def remove_channel(*, name: str) -> None:
    """Remove a channel and its deliveries. Raises Rejected when there is none of that name."""
    if not NotificationChannel.objects.filter(name=name).delete()[0]:
        raise Rejected(f"there is no channel named {name!r}")


def enable_channel(*, name: str, enabled: bool) -> None:
    """Let a channel get messages, or no more of them. Raises Rejected when there is none of that name."""
    if not NotificationChannel.objects.filter(name=name).update(enabled=enabled):
        raise Rejected(f"there is no channel named {name!r}")


def requeue(*, delivery_ids: Iterable[str], now: datetime) -> int:
    """Take deliveries out of the dead letters and send them again; return how many there were."""
    dead = Delivery.objects.filter(pk__in=list(delivery_ids), state=Delivery.DEAD)
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


async def _send_alone(driver: BaseDriver[Any], message: Message) -> str:
    http = Client()
    try:
        return await driver.send(message, http)
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
    new, leased = [], []
    for item in outgoing:
        pair = (item.incident_id, item.channel_id)
        later = planned.get(item.message.id)
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
