"""Channels of every bad kind beside a good one: it gets all messages in order, and tells of the others."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, Final

import pytest

from tests.fakes import bad, jira, ntfy, pagerduty, slack, telegram
from tests.fakes.bad import HTML, JSON, Talk, says
from tests.fakes.receiver import Receiver, receiver
from tests.world import World
from tocsin.notify.drivers import drivers
from tocsin.notify.models import ChannelPace, Delivery
from tocsin.notify.outcome import UNCLEAR_TRIES

pytestmark = pytest.mark.django_db(transaction=True)

SECRETS: Final = ["tk-secret-1234567", telegram.TOKEN, pagerduty.KEY, jira.TOKEN, slack.TOKEN]
_PAGE: Final = b"<html><h1>Sign in</h1>\0\x1b[2J\xe2\x80\xae</html>"
_DEEP: Final = b'{"issues": ' + b"[" * 10_000


def _ntfy(url: str) -> dict[str, Any]:
    return {"url": url, "topic": ntfy.TOPIC, "token": SECRETS[0]}


def _webhook(url: str) -> dict[str, Any]:
    return {"url": url, "secret": SECRETS[0]}


def _telegram(url: str) -> dict[str, Any]:
    return {"token": telegram.TOKEN, "chat_id": telegram.CHAT, "api_url": url}


def _pagerduty(url: str) -> dict[str, Any]:
    return {"url": url, "routing_key": pagerduty.KEY}


def _jira(url: str) -> dict[str, Any]:
    return {"url": url, "email": jira.EMAIL, "token": jira.TOKEN, "project": "OPS"}


def _slack(url: str) -> dict[str, Any]:
    return {"api_url": url, "bot_token": slack.TOKEN, "channel_id": slack.CHANNEL}


# By name: the driver, its config, how its receiver behaves, what becomes of a message, and why.
Kind = tuple[str, Callable[[str], dict[str, Any]], Talk, str, str]
BAD: Final[dict[str, Kind]] = {
    "silent": ("ntfy", _ntfy, bad.silence, "retrying", "did not answer within 0.2 s"),
    "dripping": ("ntfy", _ntfy, bad.drip, "retrying", "did not answer within 0.2 s"),
    "headers": ("webhook", _webhook, bad.endless_headers, "retrying", "the answer's headers do not end"),
    "reset": ("webhook", _webhook, bad.reset, "retrying", "onnect"),
    "cut": ("webhook", _webhook, bad.reset_midway, "retrying", "onnect"),
    "broken": ("telegram", _telegram, says(500), "retrying", "HTTP 500: POST /bot"),
    "busy": ("webhook", _webhook, says(503, b"busy", Retry_After="600"), "retrying", "HTTP 503: busy"),
    "strict": ("pagerduty", _pagerduty, says(401), "dead", "HTTP 401: POST /"),
    "moved": ("webhook", _webhook, says(302, Location="http://10.0.0.1/x"), "dead", "leads to 10.0.0.1, and"),
    "page": ("slack", _slack, says(200, _PAGE, kind=HTML), "retrying", "not Slack's answer: <html>"),
    "deep": ("jira", _jira, says(200, _DEEP, kind=JSON), "retrying", "not Jira's answer"),
    "huge": ("pagerduty", _pagerduty, bad.huge, "retrying", "not PagerDuty's answer"),
}  # fmt: skip


@pytest.fixture
def good() -> Iterator[Receiver]:
    with receiver() as here:
        yield here


@pytest.fixture
def crowd(world: World, good: Receiver, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A world with one channel of each bad kind, and the good one last."""
    monkeypatch.setattr(drivers.get("ntfy"), "timeout", 0.2)
    with ExitStack() as open_:
        for name, (driver, config, talk, _, _) in BAD.items():
            url = open_.enter_context(bad.listening(talk)).url
            world.channel(name, driver=driver, **config(url.rstrip("/")))
        world.channel("good", url=good.url)
        yield world


def _titles(good: Receiver) -> list[tuple[str, str]]:
    return [(told.json["title"], told.json["kind"]) for told in good.received]


def test_the_good_channel_gets_all_and_tells_of_the_bad_ones(crowd: World, good: Receiver) -> None:
    expected = []
    for name in ("One", "Two"):
        crowd.fire(name)
        crowd.work()
        expected.append((f"{name} on web-1", "firing"))
    crowd.resolve("One")
    crowd.work()
    expected.append(("One on web-1", "resolved"))
    ours = [told for told in _titles(good) if not told[0].startswith("NotificationChannelFailing")]
    assert ours == expected
    crowd.forward(minutes=2)
    crowd.forward(minutes=2)
    failing = {title.rpartition(" ")[2] for title, kind in _titles(good) if kind == "firing"} - {"web-1"}
    assert failing == BAD.keys(), "each of them is told of"
    for name, (*_, state, why) in BAD.items():
        failed = Delivery.objects.filter(channel__name=name).exclude(last_error="")
        assert {delivery.state for delivery in failed} - {"folded"} == {state}, name
        assert all(why in delivery.last_error for delivery in failed), name
    _can_be_kept(good)


def _can_be_kept(good: Receiver) -> None:
    """What is known of the failures: in the rows, and in what people are told of them."""
    kept = [pace.last_error for pace in ChannelPace.objects.exclude(last_error="")]
    for delivery in Delivery.objects.exclude(last_error=""):
        kept += [delivery.last_error, delivery.answer, *(failure["error"] for failure in delivery.failures)]
    told = [alert["annotations"] for message in good.received for alert in message.json["alerts"]]
    kept += [notes["summary"] for notes in told if notes]
    assert len(kept) > 3 * len(BAD)
    for said in kept:
        assert said.isprintable() and len(said) <= 1_200
        assert [secret for secret in SECRETS if secret in said] == []


def test_what_may_have_been_taken_is_not_sent_for_ever(world: World, good: Receiver) -> None:
    world.channel("good", url=good.url)
    with bad.listening(says(200, _PAGE, kind=HTML)) as server:
        world.channel("page", driver="slack", **_slack(server.url))
        world.fire()
        for _ in range(UNCLEAR_TRIES + 3):
            world.forward(minutes=16)
        delivery = Delivery.objects.filter(channel__name="page").earliest("pk")
        texts = [asked for asked in server.requests if b"HighCPU" in asked]
    assert delivery.state == "dead"
    assert len(texts) == delivery.attempts == UNCLEAR_TRIES
