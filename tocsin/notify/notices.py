"""What programs ask to be told: to stored channels as deliveries, to a service whose config comes with it at
once."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, Literal

import msgspec
from django.conf import settings
from django.db import transaction

from tocsin.alerts.models import Incident
from tocsin.core import config, log
from tocsin.core.errors import Rejected, TocsinError, Unavailable, Unknown
from tocsin.core.http import Client
from tocsin.core.ids import new_id
from tocsin.db import bulk
from tocsin.notify import fields, rows, services
from tocsin.notify.discreet import Discreet
from tocsin.notify.drivers import BaseDriver, drivers
from tocsin.notify.message import FIRING, RESOLVED, Message, MessageAlert
from tocsin.notify.models import NotificationChannel

logger = log.get(__name__)

ACCEPTED, SUCCESS, SKIPPED, ERROR = "accepted", "success", "skipped", "error"
MOST: Final = 100  # in one request
LONGEST_TITLE: Final = 500
LONGEST_MESSAGE: Final = 20_000
MOST_LABELS: Final = 100
LONGEST_LABEL: Final = 2_000
SKIP_REASON: Final = "NOTIFY_SKIP_ALL is set"


class Notice(msgspec.Struct, forbid_unknown_fields=True):
    """Something to tell: to a channel by its name, to all channels of a driver, or by a config of its
    own."""

    driver: str = ""
    channel: str = ""
    config: dict[str, Any] | None = None
    title: str = ""
    message: str = ""
    severity: Literal["critical", "error", "warning", "info"] = "info"
    status: Literal["firing", "resolved"] = "firing"
    labels: dict[str, str] = {}
    url: str = ""
    incident_id: int | None = None


class Result(msgspec.Struct, omit_defaults=True):
    """What became of one. ``deliveries`` are on their way; ``answer`` is what the receiver said."""

    status: str
    driver: str = ""
    deliveries: list[dict[str, str]] = []
    answer: str = ""
    reason: str = ""
    code: str = ""
    message: str = ""
    retry: bool = False


class _Spot(msgspec.Struct):
    """A message for a service whose config came with it."""

    name: str
    driver: BaseDriver[Any]
    discreet: Discreet
    message: Message


def tell(notices: Sequence[Notice], trace_id: str, now: datetime) -> list[Result]:
    """What becomes of each, in order: one that is wrong costs the others nothing."""
    if config.flag("NOTIFY_SKIP_ALL"):
        return [Result(SKIPPED, reason=SKIP_REASON) for _ in notices]
    found: list[Result | _Spot] = [_begun(notice, trace_id, now) for notice in notices]
    sent = iter(asyncio.run(_send_all([one for one in found if isinstance(one, _Spot)])))
    return [next(sent) if isinstance(one, _Spot) else one for one in found]


def _begun(notice: Notice, trace_id: str, now: datetime) -> Result | _Spot:
    try:
        _check(notice)
        message = _message(notice, trace_id, now)
        return _spot(notice, message) if notice.config is not None else _stored(notice, message, now)
    except Unknown as error:
        return Result(ERROR, code="unknown", message=str(error))
    except TocsinError as error:
        return Result(ERROR, code="payload", message=str(error))


def _check(notice: Notice) -> None:
    """Whether it says what to tell, and to whom. Raises Rejected."""
    if not notice.title.strip():
        raise Rejected("title: it is missing")
    if len(notice.title) > LONGEST_TITLE or len(notice.message) > LONGEST_MESSAGE:
        raise Rejected(f"title and message have at most {LONGEST_TITLE} and {LONGEST_MESSAGE} characters")
    long = any(len(text) > LONGEST_LABEL for pair in notice.labels.items() for text in pair)
    if long or len(notice.labels) > MOST_LABELS:
        raise Rejected(f"labels: at most {MOST_LABELS}, of {LONGEST_LABEL} characters")
    if notice.config is not None and notice.channel:
        raise Rejected("give a channel or a config, not both")
    if notice.config is None and not notice.channel and not notice.driver:
        raise Rejected("name a channel or a driver, or give a config")
    if notice.url and not notice.url.startswith(("http://", "https://")):
        raise Rejected("url: it must begin with http:// or https://")
    whole = "".join((notice.title, notice.message, notice.channel, *notice.labels, *notice.labels.values()))
    if "\0" in whole:
        raise Rejected("a NUL character cannot be kept")


def _message(notice: Notice, trace_id: str, now: datetime) -> Message:
    incident = _incident(notice.incident_id)
    title = " ".join(notice.title.split())
    over = notice.status == "resolved"
    alert = MessageAlert(
        name=title,
        status=notice.status,
        severity=notice.severity,
        fingerprint="",
        labels=notice.labels,
        annotations={"message": notice.message} if notice.message else {},
        started_at=now,
        ended_at=now if over else None,
    )
    about: dict[str, Any] = {"url": notice.url or settings.PUBLIC_URL}
    if incident is not None:
        about = {
            "url": notice.url or f"{settings.PUBLIC_URL}/incidents/{incident.pk}/",
            "incident_id": incident.pk,
            "status": incident.status,
            "opened_at": incident.opened_at,
        }
    return Message(
        id=new_id(),
        kind=RESOLVED if over else FIRING,
        reason="notice",
        title=title,
        severity=notice.severity,
        trace_id=incident.trace_id if incident else trace_id,
        labels=notice.labels,
        firing=int(not over),
        total=1,
        alerts=[alert],
        **about,
    )


def _incident(number: int | None) -> Incident | None:
    if number is None:
        return None
    found: Incident | None = Incident.objects.filter(pk=number).first() if 0 < number < 10**18 else None
    if found is None:
        raise Unknown(f"there is no incident {number}")
    return found


# To stored channels.


def _stored(notice: Notice, message: Message, now: datetime) -> Result:
    """A delivery for each channel: durable once this returns, sent by a worker."""
    channels = _channels(notice)
    stamp = bulk.moment(now)
    made = [(channel, msgspec.structs.replace(message, id=new_id())) for channel in channels]
    with transaction.atomic():
        rows.insert(
            [rows.row(one, channel.pk, one.incident_id, one.id, "", stamp, stamp) for channel, one in made]
        )
    told = [{"id": one.id, "channel": channel.name, "url": f"/deliveries/{one.id}/"} for channel, one in made]
    return Result(ACCEPTED, deliveries=told)


def _channels(notice: Notice) -> list[NotificationChannel]:
    if notice.channel:
        channel = services.named_channel(notice.channel)
        if notice.driver and notice.driver != channel.driver:
            raise Rejected(f"{channel} is a channel of {channel.driver}, not of {notice.driver[:64]}")
        if not channel.enabled:
            raise Rejected(f"the channel {channel} is disabled")
        return [channel]
    drivers.get(notice.driver)
    found = list(NotificationChannel.objects.filter(driver=notice.driver, enabled=True).defer("config"))
    if not found:
        raise Rejected(f"there is no enabled channel of driver {notice.driver}; give a config")
    return found


# With a config of its own.


def _spot(notice: Notice, message: Message) -> _Spot:
    given = dict(notice.config or {})
    name = notice.driver or fields.driver_for(given)
    kind = drivers.get(name)
    read = services.read_config(name, given)
    return _Spot(name, kind(read), Discreet(read), message)


async def _send_all(spots: Sequence[_Spot]) -> list[Result]:
    if not spots:
        return []
    http = Client()
    try:
        return list(await asyncio.gather(*(_send(one, http) for one in spots)))
    finally:
        http.close()


async def _send(one: _Spot, http: Client) -> Result:
    try:
        async with asyncio.timeout(one.driver.timeout):
            answer = await one.driver.send(one.message, http)
    except TimeoutError:
        late = f"no answer within {one.driver.timeout:g} s"
        return Result(ERROR, driver=one.name, code="receiver", message=late, retry=True)
    except TocsinError as error:
        said, retry = one.discreet.told(str(error)), isinstance(error, Unavailable)
        return Result(ERROR, driver=one.name, code="receiver", message=said, retry=retry)
    except Exception as error:  # a fault of the driver's own must not cost the others of a batch theirs
        logger.exception("notice.driver_failed", driver=one.name, trace_id=one.message.trace_id)
        failed = one.discreet.told(f"{type(error).__name__}: {error}")
        return Result(ERROR, driver=one.name, code="receiver", message=failed)
    return Result(SUCCESS, driver=one.name, answer=one.discreet.told(answer))
