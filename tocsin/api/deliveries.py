"""``/api/v1/deliveries/``: one message in full, and dead letters sent again."""

from typing import Any

import msgspec
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from tocsin.accounts.access import key_or_session
from tocsin.api.answers import answered, body, read
from tocsin.core import clock, doorbell
from tocsin.core.errors import Rejected, Unknown
from tocsin.notify import services
from tocsin.notify.models import Delivery
from tocsin.orchestration import story


class Chosen(msgspec.Struct, forbid_unknown_fields=True):
    """Dead letters: these, or all of them, or all of a channel."""

    ids: list[str] = []
    dead: bool = False
    channel: str = ""


@require_safe
@key_or_session("read", "write")
def one(request: HttpRequest, delivery: str) -> HttpResponse:
    """One, with what it says and how many messages it holds."""

    def told() -> dict[str, Any]:
        row = Delivery.objects.select_related("channel").filter(pk=delivery).first()
        if row is None:
            raise Unknown(f"there is no delivery {delivery[:64]}")
        shown = story.plain(story.Delivery, row, channel=row.channel.name, driver=row.channel.driver)
        holds = Delivery.objects.filter(folded_into=row.pk).count()
        return {**msgspec.structs.asdict(shown), "message": row.message, "holds": holds}

    return answered(told)


@csrf_exempt
@require_POST
@key_or_session("write")
def resend(request: HttpRequest) -> HttpResponse:
    """Take dead letters up again."""

    def again() -> dict[str, int]:
        chosen = read(body(request), Chosen)
        if bool(chosen.ids) == chosen.dead:
            raise Rejected('give "ids", or "dead": true for all of them')
        if chosen.dead:
            count = services.requeue_all(channel=chosen.channel, now=clock.now())
        else:
            keys = [key for key in chosen.ids if key.isalnum()]  # no database takes all bytes
            count = services.requeue(delivery_ids=keys, now=clock.now())
        doorbell.ring()
        return {"resent": count}

    return answered(again)
