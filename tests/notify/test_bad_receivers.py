"""Every driver that speaks HTTP, against receivers that misbehave. Each try ends in time, as Unavailable or
Rejected, with words that people may read; a success that is not the service's own is none."""

import asyncio
import base64
import json
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import format_datetime
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tests.fakes import (
    bad,
    discord,
    google_chat,
    jira,
    matrix,
    mattermost,
    ntfy,
    opsgenie,
    pagerduty,
    pushover,
    sendgrid,
    slack,
    teams,
    telegram,
    twilio,
    webpush,
)
from tests.fakes.bad import HTML, JSON, Talk, says
from tests.fakes.receiver import Receiver
from tests.fakes.tls import https
from tests.fakes.wire import Wire, wire
from tests.notify.messages import message
from tocsin.core import clock
from tocsin.core.errors import Rejected, TocsinError, Unavailable, Unclear
from tocsin.core.http import MAX_RETRY_AFTER, Client
from tocsin.notify.discreet import Discreet
from tocsin.notify.drivers import BaseDriver, Handle, ThreadedDriver, drivers

# Apprise loads a module that goes with Python 3.13.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

WITHOUT_HTTP: Final = {"log"}
PASSWORD: Final = "correct-horse-battery"
OWN, NO_PAGE, ANYTHING = "its own", "no page", "anything"


@dataclass
class Spoken:
    """One way to speak to a service. ``needs`` is what a success has to be; ``once`` says whether the service
    takes a message once, however often it is sent; ``good`` are its answers to the first requests."""

    driver: str
    config: Callable[[str], dict[str, Any]]
    secrets: list[str] = field(default_factory=list)
    needs: str = OWN
    once: bool = False
    handle: Handle = field(default_factory=dict)
    deeds: tuple[str, ...] = ("send",)
    good: list[bytes] = field(default_factory=list)
    limit: Callable[[int], dict[str, Any]] = lambda seconds: {"Retry_After": str(seconds)}

    def made(self, url: str) -> BaseDriver[Any]:
        kind = drivers.get(self.driver)
        return kind(kind.Config.model_validate(self.config(url)))


def _subscription(url: str) -> dict[str, Any]:
    browser, server = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    keys = {"p256dh": webpush.text(webpush.point(browser.public_key())), "auth": webpush.text(b"a" * 16)}
    return {
        "subscription": json.dumps({"endpoint": url + webpush.PATH, "keys": keys}),
        "vapid_key": webpush.text(server.private_numbers().private_value.to_bytes(32, "big")),
        "contact": "mailto:ops@example.com",
    }


def _pair(user: str, password: str) -> str:
    return base64.b64encode(f"{user}:{password}".encode()).decode()


def _mail(url: str) -> dict[str, Any]:
    config = {"sendgrid_api_key": sendgrid.KEY, "sendgrid_url": url}
    return {**config, "sender": "tocsin@example.com", "to": "ops@example.com"}


def _jira(url: str) -> dict[str, Any]:
    return {"url": url, "email": jira.EMAIL, "token": jira.TOKEN, "project": "OPS"}


_NUMBERS = {"sender": "+15005550006", "to": "+4915112345678"}
_TWILIO = {"account_sid": twilio.SID, "auth_token": twilio.TOKEN, **_NUMBERS}
_JIRA_SECRETS = [jira.TOKEN, _pair(jira.EMAIL, jira.TOKEN)]
_ALL = ("send", "edit", "reply")

SPOKEN: Final[dict[str, Spoken]] = {
    "alertmanager": Spoken(
        "alertmanager", lambda url: {"url": url, "username": "ops", "password": PASSWORD},
        [PASSWORD, _pair("ops", PASSWORD)], needs=NO_PAGE, once=True,
    ),
    "apprise": Spoken(
        "apprise",
        lambda url: {"urls": f"{url.replace('http', 'json', 1)}/tok-abcdefghij".replace("://", f"://ops:{PASSWORD}@")},
        [PASSWORD, "tok-abcdefghij"], needs=ANYTHING,
    ),
    "discord": Spoken(
        "discord", lambda url: {"webhook_url": url + discord.PATH}, [discord.TOKEN],
        handle={"message_id": "7"}, deeds=("send", "edit"),
        limit=lambda seconds: {"body": b'{"retry_after": %d, "global": false}' % seconds},
    ),
    "email by SendGrid": Spoken(
        "email", _mail, [sendgrid.KEY],
        limit=lambda seconds: {"X_RateLimit_Reset": str(int(clock.now().timestamp()) + seconds)},
    ),
    "google_chat": Spoken(
        "google_chat",
        lambda url: {
            "webhook_url": f"{url}/v1/{google_chat.SPACE}/messages"
            f"?key={google_chat.KEY}&token={google_chat.TOKEN}"
        },
        [google_chat.KEY, google_chat.TOKEN], once=True,
        handle={"thread": f"{google_chat.SPACE}/threads/x"}, deeds=("send", "reply"),
    ),
    "jira": Spoken("jira", _jira, _JIRA_SECRETS, once=True, handle={"issue": "OPS-1"}, deeds=_ALL),
    "jira, a new issue": Spoken("jira", _jira, _JIRA_SECRETS, once=True, good=[b'{"issues": []}']),
    "matrix": Spoken(
        "matrix", lambda url: {"url": url, "token": matrix.TOKEN, "room_id": matrix.ROOM}, [matrix.TOKEN],
        once=True, handle={"event_id": "$7"}, deeds=_ALL,
        limit=lambda seconds: {
            "body": b'{"errcode": "M_LIMIT_EXCEEDED", "retry_after_ms": %d}' % (seconds * 1000)
        },
    ),
    "mattermost by a bot": Spoken(
        "mattermost",
        lambda url: {"url": url, "token": mattermost.TOKEN, "channel_id": mattermost.CHANNEL},
        [mattermost.TOKEN], once=True, handle={"post_id": "abc"}, deeds=_ALL,
    ),
    "mattermost by a webhook": Spoken(
        "mattermost", lambda url: {"webhook_url": url + mattermost.HOOK}, [mattermost.HOOK.rpartition("/")[2]]
    ),
    "ntfy": Spoken(
        "ntfy", lambda url: {"url": url, "topic": ntfy.TOPIC, "token": ntfy.TOKEN}, [ntfy.TOPIC, ntfy.TOKEN],
        once=True,
    ),
    "opsgenie": Spoken(
        "opsgenie", lambda url: {"url": url, "api_key": opsgenie.KEY}, [opsgenie.KEY], once=True,
        limit=lambda seconds: {"X_RateLimit_Period_In_Sec": str(seconds)},
    ),
    "pagerduty": Spoken(
        "pagerduty", lambda url: {"url": url + "/v2/enqueue", "routing_key": pagerduty.KEY}, [pagerduty.KEY],
        once=True,
    ),
    "pushover": Spoken(
        "pushover", lambda url: {"url": url, "token": pushover.TOKEN, "user": pushover.USER},
        [pushover.TOKEN, pushover.USER],
    ),
    "slack by a bot": Spoken(
        "slack", lambda url: {"bot_token": slack.TOKEN, "channel_id": slack.CHANNEL, "api_url": url},
        [slack.TOKEN], handle={"channel": slack.CHANNEL, "ts": "1.1"}, deeds=_ALL,
    ),
    "slack by a webhook": Spoken(
        "slack", lambda url: {"webhook_url": url + slack.PATH}, [slack.PATH.rpartition("/")[2]]
    ),
    "teams by a workflow": Spoken(
        "teams", lambda url: {"webhook_url": f"{url}{teams.FLOW}?{teams.SIGNED}"},
        [teams.SIGNED.rpartition("=")[2]], needs=NO_PAGE,
    ),
    "teams by a connector": Spoken(
        "teams", lambda url: {"webhook_url": url + teams.CONNECTOR, "style": "message_card"},
        ["477b562fb46b43ca82379479a2137a21"], needs=NO_PAGE,
    ),
    "telegram": Spoken(
        "telegram", lambda url: {"token": telegram.TOKEN, "chat_id": telegram.CHAT, "api_url": url},
        [telegram.TOKEN], handle={"chat_id": telegram.CHAT, "message_id": "7"}, deeds=_ALL,
        limit=lambda seconds: {
            "body": b'{"ok": false, "error_code": 429, "parameters": {"retry_after": %d}}' % seconds
        },
    ),
    "twilio": Spoken(
        "twilio", lambda url: {**_TWILIO, "url": url}, [twilio.TOKEN, _pair(twilio.SID, twilio.TOKEN)]
    ),
    "twilio by a call": Spoken(
        "twilio", lambda url: {**_TWILIO, "url": url, "by": "call"},
        [twilio.TOKEN, _pair(twilio.SID, twilio.TOKEN)],
    ),
    "webhook": Spoken("webhook", lambda url: {"url": url, "secret": PASSWORD}, [PASSWORD], needs=ANYTHING),
    "webpush": Spoken("webpush", _subscription, [webpush.PATH.rpartition("/")[2]], needs=NO_PAGE, once=True),
}  # fmt: skip

DEEDS: Final = [(name, deed) for name, spoken in SPOKEN.items() for deed in spoken.deeds]
all_deeds = pytest.mark.parametrize(("name", "deed"), DEEDS, ids=[f"{name}-{deed}" for name, deed in DEEDS])


def test_every_driver_is_here() -> None:
    missing = set(drivers.names()) - {spoken.driver for spoken in SPOKEN.values()} - WITHOUT_HTTP
    assert not missing, f"add {', '.join(missing)} to SPOKEN in tests/notify/test_bad_receivers.py"


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """No driver waits long."""
    for name in drivers.names():
        monkeypatch.setattr(drivers.get(name), "timeout", 0.1)


async def _do(driver: BaseDriver[Any], deed: str, handle: Handle) -> TocsinError | None:
    """What was wrong; raises what is no error of ours."""
    told, http = message(kind="resolved" if deed == "edit" else "firing"), Client()
    try:
        if deed == "send":
            await driver.send(told, http)
        else:
            assert isinstance(driver, ThreadedDriver)
            await (driver.edit if deed == "edit" else driver.reply)(handle, told, http)
    except TocsinError as error:
        return error
    finally:
        http.close()
    return None


async def _outcome(name: str, deed: str, talk: Talk) -> tuple[TocsinError | None, Wire]:
    """What came of a deed, and what the receiver saw. Whatever it is, it can be kept and shown."""
    spoken = SPOKEN[name]
    async with wire(bad.after(spoken.good, talk)) as server:
        driver = spoken.made(server.url.rstrip("/"))
        error = await _do(driver, deed, spoken.handle)
    if error is not None:
        assert isinstance(error, Rejected | Unavailable)
        said = Discreet(driver.config).told(str(error))
        assert said.isprintable() and 10 < len(said) <= 1_000
        assert [secret for secret in spoken.secrets if secret in said] == []
        if isinstance(error, Unavailable) and error.retry_after is not None:
            assert 0 <= error.retry_after <= MAX_RETRY_AFTER
    return error, server


def _final(name: str) -> type[TocsinError]:
    """Apprise does not tell what will never be taken."""
    return Unavailable if name == "apprise" else Rejected


# No answer.


@all_deeds
@pytest.mark.usefixtures("hasty")
async def test_an_answer_without_end_has_one(name: str, deed: str) -> None:
    without_end = (bad.silence, bad.drip, bad.endless_headers)
    for error, _ in await asyncio.gather(*(_outcome(name, deed, talk) for talk in without_end)):
        assert type(error) is Unavailable


@all_deeds
async def test_a_reset_passes(name: str, deed: str) -> None:
    for talk in (bad.reset, bad.reset_midway):
        error, _ = await _outcome(name, deed, talk)
        assert type(error) is Unavailable


@all_deeds
async def test_nobody_there_passes(name: str, deed: str, unused_tcp_port: int) -> None:
    driver = SPOKEN[name].made(f"http://127.0.0.1:{unused_tcp_port}")
    assert type(await _do(driver, deed, SPOKEN[name].handle)) is Unavailable


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Who has a certificate that nobody vouches for."""
    with https(1, tmp_path_factory.mktemp("tls")) as found:
        yield found.url


@all_deeds
async def test_a_certificate_that_nobody_vouches_for_is_not_spoken_to(
    name: str, deed: str, stranger: str
) -> None:
    error = await _do(SPOKEN[name].made(stranger), deed, SPOKEN[name].handle)
    assert type(error) is Unavailable
    assert name == "apprise" or "certificate verify failed" in str(error)


# An answer that says no.


@all_deeds
async def test_trouble_passes(name: str, deed: str) -> None:
    for status in (500, 502, 503, 429, 408):
        error, _ = await _outcome(name, deed, says(status))
        assert type(error) is Unavailable, status


@all_deeds
async def test_a_refusal_is_final(name: str, deed: str) -> None:
    for status in (401, 403, 404, 413, 422):
        error, _ = await _outcome(name, deed, says(status))
        assert isinstance(error, _final(name)), status


@all_deeds
async def test_who_says_when_is_believed(name: str, deed: str) -> None:
    if name == "apprise":  # it tells nobody
        return
    when = format_datetime(clock.now() + timedelta(seconds=90), usegmt=True)
    waits = []
    for asked in ("30", when, "never", "-5", "9" * 400):
        error, _ = await _outcome(name, deed, says(503, Retry_After=asked))
        assert type(error) is Unavailable
        waits.append(error.retry_after)
    assert (waits[0], waits[4]) == (30, MAX_RETRY_AFTER)
    assert 60 < (waits[1] or 0) <= 90


@all_deeds
async def test_a_limit_in_the_services_own_words(name: str, deed: str) -> None:
    if name == "apprise":
        return
    for asked, least, most in ((20, 18, 20), (10**15, MAX_RETRY_AFTER, MAX_RETRY_AFTER)):
        words = {"body": b"{}", "kind": JSON} | SPOKEN[name].limit(asked)
        error, _ = await _outcome(name, deed, says(429, **words))
        assert type(error) is Unavailable
        assert least <= (error.retry_after or 0) <= most


REDIRECTS: Final = [
    (301, "http://10.0.0.1/{}"),
    (302, "https://elsewhere.example.com/{}"),
    (307, "/{}"),
    (308, "http://["),
    (302, ""),
]


@all_deeds
async def test_a_redirect_is_not_followed(name: str, deed: str) -> None:
    for status, where in REDIRECTS:
        location = where.format(SPOKEN[name].secrets[0])
        error, server = await _outcome(name, deed, says(status, Location=location))
        assert isinstance(error, _final(name)), where
        assert name == "apprise" or "redirects are not followed" in str(error), where
        assert len(server.requests) == 1 + len(SPOKEN[name].good), where


# A success that is none.

_NAMES: Final = (
    "id", "ts", "event_id", "thread", "name", "sid", "requestId", "request", "result", "key", "issues",
    "fields", "transitions", "channel", "parameters", "message_id", "retry_after", "errcode", "error",
    "description",
)  # fmt: skip
_VALUES: Final[list[Any]] = [None, [], {}, 7.5, "\0\x1b[2J", [[]], [None]]
_PAGE: Final = b"<!DOCTYPE html>\n<html><body><h1>Sign in</h1>"
SHAPES: Final = {
    "empty": b"",
    "list": b'["ok", true]',
    "null": b"null",
    "number": b"7",
    "text": b'"ok"',
    "deep": b'{"a": ' + b"[" * 10_000 + b"]" * 10_000 + b"}",
    "deep list": b"[" * 10_000,
    "no text": b'{"id": "\xff\xfe"}',
    **{
        f"of {value!r}": json.dumps(dict.fromkeys(_NAMES, value) | {"status": []}).encode()
        for value in _VALUES
    },
}


@all_deeds
async def test_a_success_of_another_shape_is_none(name: str, deed: str) -> None:
    for shape, body in SHAPES.items():
        error, _ = await _outcome(name, deed, says(200, body, kind=JSON))
        if SPOKEN[name].needs == OWN:
            _is_unreadable(name, deed, error, shape)
        else:
            assert error is None, shape


@all_deeds
async def test_a_page_is_no_success(name: str, deed: str) -> None:
    for kind in (HTML, JSON):
        error, _ = await _outcome(name, deed, says(200, _PAGE, kind=kind))
        _is_unreadable(name, deed, error, kind)


@all_deeds
async def test_a_page_without_end_is_not_read(name: str, deed: str) -> None:
    tracemalloc.start()
    try:
        error, _ = await _outcome(name, deed, bad.huge)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    _is_unreadable(name, deed, error)
    assert name == "apprise" or most < 4 * bad.MEGABYTE


@pytest.fixture(scope="module")
def bomb() -> bytes:
    return bad.bomb()


@all_deeds
async def test_what_is_packed_stays_packed(name: str, deed: str, bomb: bytes) -> None:
    if name == "apprise":  # requests unpacks it, as much as there is
        return
    tracemalloc.start()
    try:
        error, server = await _outcome(name, deed, says(200, bomb, kind=HTML, Content_Encoding="gzip"))
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert b"accept-encoding" not in server.requests[0].lower()
    _is_unreadable(name, deed, error)
    assert most < 4 * bad.MEGABYTE


def _is_unreadable(name: str, deed: str, error: TocsinError | None, what: str = "") -> None:
    """A message that the service takes once may be sent again for hours, any other but a few times."""
    spoken = SPOKEN[name]
    if spoken.needs == ANYTHING:
        assert error is None, what
    elif deed == "send":
        assert type(error) is (Unavailable if spoken.once else Unclear), what
    else:
        assert isinstance(error, Unavailable), what


async def test_a_good_answer_is_one(receiver: Receiver) -> None:
    """Where all else fails, the tests above would pass."""
    assert await _do(SPOKEN["webhook"].made(receiver.url), "send", {}) is None
