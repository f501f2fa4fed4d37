"""The API's paths."""

import re
from collections.abc import AsyncIterator, Callable, Iterator
from functools import wraps
from itertools import chain, islice
from typing import Any, Final
from uuid import UUID

import msgspec
from asgiref.sync import sync_to_async
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.views.decorators.csrf import csrf_exempt

from tocsin.accounts.access import View, key_or_session
from tocsin.alerts import silences as service
from tocsin.alerts.models import Silence
from tocsin.alerts.silences import NoSuchSilence
from tocsin.api import readiness
from tocsin.api.alertmanager import VERSION, configuration, posted, reading, shapes
from tocsin.api.alertmanager.posted import Invalid
from tocsin.core import clock, config
from tocsin.core.errors import Rejected
from tocsin.core.matchers import to_json

_STARTED: Final = clock.now()
_JSON: Final = re.compile(r"application/([\w.+-]+\+)?json", re.I)
_REMOVED: Final = (
    "The Alertmanager v1 API was deprecated in version 0.16.0 and is removed as of version 0.27.0 - "
    "please use the equivalent route in the v2 API"
)
_may_read = key_or_session("read", "write", open_on_loopback=True)
_may_write = key_or_session("write", open_on_loopback=True)


def _answer(content: Any, status: int = 200) -> HttpResponse:
    answer = HttpResponse(msgspec.json.encode(content), "application/json", status)
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _empty(status: int) -> HttpResponse:
    answer = HttpResponse(status=status, headers={"Cache-Control": "no-store"})
    del answer.headers["Content-Type"]  # there is nothing to have one
    return answer


def _by_method(*elsewhere: str, **views: View) -> View:
    """One path's views by method; any other method is refused as Alertmanager does it. What is taken
    elsewhere, by the door in front, is named to those who ask."""

    @csrf_exempt  # each view's own guard checks it, where a session is what opens it
    def dispatch(request: HttpRequest, **named: str) -> HttpResponseBase:
        view = views.get(request.method or "")
        if view is not None:
            return view(request, **named)
        names = ",".join([*views, *elsewhere])
        message = f"method {request.method} is not allowed, but [{names}] are"
        answer = _answer({"code": 405, "message": message}, 405)
        answer.headers["Allow"] = names
        return answer

    return dispatch


def _told(view: Callable[..., HttpResponseBase]) -> View:
    """Give what a view raises as Alertmanager words it: texts for what is meant wrong, codes for what
    breaks the schema."""

    @wraps(view)
    def answering(request: HttpRequest, **named: str) -> HttpResponseBase:
        try:
            return view(request, **named)
        except NoSuchSilence as error:
            return _answer(str(error), 404)
        except Rejected as error:
            return _answer(str(error), 400)
        except Invalid as error:
            return _answer({"code": error.code, "message": str(error)}, error.status)

    return answering


def _listed(parts: Iterator[list[Any]]) -> HttpResponseBase:
    """A JSON list; a long one is sent while it is made."""
    texts = (msgspec.json.encode(part)[1:-1] for part in parts)
    pieces = _joined(text for text in texts if text)
    first = list(islice(pieces, 3))
    if len(first) < 3:
        return _answer(msgspec.Raw(b"[" + b"".join(first) + b"]"))
    stream = chain([b"["], first, pieces, [b"]"])
    return StreamingHttpResponse(
        _asynchronous(stream), content_type="application/json", headers={"Cache-Control": "no-store"}
    )


def _joined(texts: Iterator[bytes]) -> Iterator[bytes]:
    for place, text in enumerate(texts):
        yield b"," + text if place else text


async def _asynchronous(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    ahead = sync_to_async(lambda: next(pieces, None))
    while (piece := await ahead()) is not None:
        yield piece


@_may_read
@_told
def _alerts(request: HttpRequest) -> HttpResponseBase:
    return _listed(reading.alerts(reading.Asked.of(request), clock.now()))


@_may_read
@_told
def _groups(request: HttpRequest) -> HttpResponseBase:
    return _listed(reading.groups(reading.Asked.of(request), clock.now()))


@_may_read
@_told
def _silences(request: HttpRequest) -> HttpResponseBase:
    now = clock.now()
    wanted = [to_json(matcher) for matcher in reading.filters(request)]
    states = {state for state, _ in _ORDER.items() if reading.flag(request, state)}
    rows = [
        row
        for row in service.listed(now)
        if row.state(now) in states and all(shape in row.matchers for shape in wanted)
    ]
    rows.sort(key=lambda row: _ORDER[row.state(now)](row))
    return _answer([shapes.silence(row, now) for row in rows])


_ORDER: Final[dict[str, Callable[[Silence], tuple[int, float]]]] = {
    Silence.ACTIVE: lambda row: (0, row.ends_at.timestamp()),
    Silence.PENDING: lambda row: (1, row.starts_at.timestamp()),
    Silence.EXPIRED: lambda row: (2, -row.ends_at.timestamp()),
}


@_may_write
@_told
def _put_silence(request: HttpRequest) -> HttpResponseBase:
    kind = request.headers.get("Content-Type", "")
    if not _JSON.match(kind):
        told = kind or "application/octet-stream"
        raise Invalid(415, 415, f'unsupported media type "{told}", only [application/json] are allowed')
    return _answer({"silenceID": service.put(wanted=posted.read(request.body), now=clock.now())})


@_may_read
@_told
def _silence(request: HttpRequest, silence: str) -> HttpResponseBase:
    row = Silence.objects.filter(pk=_uuid(silence)).first()
    return _empty(404) if row is None else _answer(shapes.silence(row, clock.now()))


@_may_write
@_told
def _expire_silence(request: HttpRequest, silence: str) -> HttpResponseBase:
    try:
        service.expire(silence_id=_uuid(silence), now=clock.now())
    except NoSuchSilence as error:
        return _answer(str(error), 500)
    return _empty(200)


def _uuid(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        message = f"silenceID in path must be of type uuid: {msgspec.json.encode(text).decode()}"
        raise Invalid(422, posted.WRONG_TYPE, message) from None


@key_or_session(open_on_loopback=True)
def _status(request: HttpRequest) -> HttpResponseBase:
    group_by, timeout = settings.GROUP_BY, config.number("TOCSIN_RESOLVE_TIMEOUT")
    original = configuration.original(reading.channels(), group_by, timeout, settings.PUBLIC_URL)
    built = dict.fromkeys(("revision", "branch", "buildUser", "buildDate", "goVersion"), "tocsin")
    return _answer(
        {
            "cluster": {"status": "disabled", "peers": []},
            "versionInfo": {"version": VERSION, **built},
            "config": {"original": original},
            "uptime": shapes.moment(_STARTED),
        }
    )


@key_or_session(open_on_loopback=True)
def _receivers(request: HttpRequest) -> HttpResponseBase:
    return _answer([{"name": name, "labels": {}} for name in reading.receivers()])


alerts = _by_method("POST", GET=_alerts)
groups = _by_method(GET=_groups)
silences = _by_method(GET=_silences, POST=_put_silence)
silence = _by_method(GET=_silence, DELETE=_expire_silence)
status = _by_method(GET=_status)
receivers = _by_method(GET=_receivers)


@csrf_exempt
def nowhere(request: HttpRequest, rest: str) -> HttpResponse:
    """A path that the API does not have."""
    return _answer({"code": 404, "message": f"path {request.path} was not found"}, 404)


@csrf_exempt
def removed(request: HttpRequest, silence: str = "") -> HttpResponse:
    """What version 1 of the API had, but for posting alerts."""
    return _answer({"status": "deprecated", "error": _REMOVED}, 410)


async def healthy(request: HttpRequest) -> HttpResponse:
    """The process answers."""
    return HttpResponse("OK", content_type="text/plain; charset=utf-8")


async def ready(request: HttpRequest) -> HttpResponse:
    """The process can do its work; 503 says what is missing."""
    wrong = await readiness.what_is_wrong()
    return HttpResponse(wrong or "OK", "text/plain; charset=utf-8", 503 if wrong else 200)
