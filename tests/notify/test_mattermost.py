"""Mattermost, as a bot and by an incoming webhook, against a stand-in that keeps to its rules."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.fakes import mattermost as fake
from tests.fakes.mattermost import CHANNEL, TOKEN, Mattermost, refused
from tests.fakes.receiver import Answer
from tests.fakes.service import running
from tests.notify.messages import HOSTILE, alert, message
from tests.notify.through import send
from tocsin.core.errors import Forbidden, Rejected, Unavailable
from tocsin.core.http import Client
from tocsin.core.outbound import Allowed
from tocsin.notify.drivers import Gone
from tocsin.notify.drivers.mattermost import Config, Driver, attachment, headline
from tocsin.notify.message import Message

BOTH = pytest.mark.parametrize("way", ["bot", "hook"])


@pytest.fixture
def mattermost() -> Iterator[Mattermost]:
    with running(Mattermost) as here:
        yield here


@pytest.fixture
async def http() -> AsyncIterator[Client]:
    client = Client()
    yield client
    client.close()


def _bot(mattermost: Mattermost, **given: Any) -> Driver:
    config = {"url": mattermost.url + "/", "token": TOKEN, "channel_id": CHANNEL, **given}
    return Driver(Config.model_validate(config))


def _hook(mattermost: Mattermost) -> Driver:
    return Driver(Config.model_validate({"webhook_url": mattermost.hook}))


def _by(way: str, mattermost: Mattermost) -> Driver:
    return _bot(mattermost) if way == "bot" else _hook(mattermost)


def _post(told: Message) -> Any:
    made = {"message": headline(told), "props": {"attachments": [attachment(told)]}}
    return msgspec.json.decode(msgspec.json.encode(made))


async def test_the_post_says_what_is_the_matter(mattermost: Mattermost) -> None:
    told = message(
        runbook="https://wiki.example.com/cpu", findings=["disk is full"], owner="Ada", note="third try"
    )
    assert await send(_bot(mattermost), told) == "post_id=post0"
    [sent] = mattermost.posts.values()
    assert sent["message"] == "**[FIRING] HighCPU on web-1**"
    [card] = sent["props"]["attachments"]
    assert (card["color"], card["fallback"]) == ("#d32f2f", "[FIRING] HighCPU on web-1")
    assert card["text"] == (
        "**HighCPU on web-1 · firing**\nCPU at 97 % for ten minutes\n\n"
        "disk is full\nAda is on it\nthird try\n\n"
        "[Open in Tocsin](https://tocsin.example.com/incidents/12/) · "
        "[Runbook](https://wiki.example.com/cpu)\n\n"
        "critical · trace 4bf92f3577b34da6a3ce929d0e0e4736"
    )


async def test_a_webhook_posts_the_same(mattermost: Mattermost) -> None:
    assert await send(_hook(mattermost)) == "ok"
    [sent] = mattermost.posts.values()
    assert sent["text"] == "**[FIRING] HighCPU on web-1**"
    assert sent["attachments"] == [attachment(message())]


@pytest.mark.parametrize(
    ("kind", "colour"), [("firing", "#d32f2f"), ("acknowledged", "#6b7280"), ("resolved", "#2e9e5b")]
)
def test_the_colour_tells_how_bad_it_is(kind: str, colour: str) -> None:
    assert attachment(message(kind=kind))["color"] == colour


@BOTH
async def test_alert_text_marks_nothing_and_calls_nobody(mattermost: Mattermost, way: str) -> None:
    told = f"{HOSTILE} @channel ._-@all (@ada) &#64;here [free](https://evil.example)"
    hostile = alert(name=told, labels={"instance": told}, annotations={"summary": told})
    await send(_by(way, mattermost), message(title=told, alerts=[hostile], findings=[told], note=told))
    [sent] = mattermost.posts.values()
    [card] = sent.get("attachments") or sent["props"]["attachments"]
    for said in (sent.get("message") or sent["text"], card["text"]):
        assert "](https://evil" not in said.replace("\\](", "")
        assert "&#64" not in said.replace("\\&", "")


async def test_a_templates_words_stand_in_the_place_of_ours(mattermost: Mattermost) -> None:
    await send(_bot(mattermost), message(subject="CPU!", body="Look at *web-1*."))
    [sent] = mattermost.posts.values()
    assert sent["message"] == "**CPU!**"
    assert sent["props"]["attachments"][0]["text"].startswith("Look at \\*web-1\\*.\n\n[Open in Tocsin]")


@BOTH
@pytest.mark.parametrize("long", ['"\\' * 9000, "*_😀" * 9000])
async def test_of_the_largest_message_the_most_important_is_said(
    mattermost: Mattermost, way: str, long: str
) -> None:
    large = alert(name=long, labels={"instance": long}, annotations={"summary": long})
    told = message(title=long, alerts=[large] * 20, more_alerts=2980, findings=[long] * 40, owner=long)
    await send(_by(way, mattermost), told)
    assert "Open in Tocsin" in str(mattermost.posts)
    assert "more\\n\\n" in str(mattermost.posts)


@settings(max_examples=100)
@given(st.text(), st.text(), st.text(), st.dictionaries(st.text(), st.text(), max_size=3))
def test_any_text_makes_a_post_that_mattermost_takes(
    title: str, words: str, link: str, labels: dict[str, str]
) -> None:
    told = alert(name=title, labels=labels | {"instance": words}, annotations={"summary": words})
    fake.check(_post(message(title=title, alerts=[told], findings=[words], runbook=f"https://x{link}")))


async def test_what_was_posted_can_say_something_else_and_is_answered_once(
    mattermost: Mattermost, http: Client
) -> None:
    driver, end = _bot(mattermost), message(id="another", kind="resolved")
    handles = [await driver.post(message(), http) for _ in range(2)]  # as after a crash
    assert handles[0] == handles[1]
    for _ in range(2):
        await driver.edit(handles[0], end, http)
        await driver.reply(handles[0], end, http)
    head, answer = mattermost.posts.values()
    assert head["message"] == "**[RESOLVED] HighCPU on web-1**"
    assert answer["root_id"] == handles[0]["post_id"]


async def test_a_post_that_somebody_deleted_is_gone(mattermost: Mattermost, http: Client) -> None:
    driver = _bot(mattermost)
    handle = await driver.post(message(), http)
    mattermost.old.add(handle["post_id"])
    with pytest.raises(Gone, match="only allowed for 300 seconds"):
        await driver.edit(handle, message(), http)
    mattermost.posts.clear()
    with pytest.raises(Gone, match="permissions"):
        await driver.edit(handle, message(), http)
    with pytest.raises(Gone, match="Invalid RootId"):
        await driver.reply(handle, message(), http)


async def test_a_webhook_says_that_it_can_only_post(mattermost: Mattermost, http: Client) -> None:
    driver = _hook(mattermost)
    handle = await driver.post(message(), http)
    assert handle == {}, "the next message of the incident is a new post"
    for tell in (driver.edit, driver.reply):
        with pytest.raises(Rejected, match="can only post: give url, token and channel_id"):
            await tell(handle, message(), http)


async def test_a_token_that_ended_is_final_and_is_not_shown(mattermost: Mattermost) -> None:
    with pytest.raises(Rejected, match="Invalid or expired session") as caught:
        await send(_bot(mattermost, token="a-wrong-secret"))
    assert "a-wrong-secret" not in str(caught.value)


async def test_a_channel_that_the_bot_is_not_in_is_final(mattermost: Mattermost) -> None:
    with pytest.raises(Rejected, match="permissions") as caught:
        await send(_bot(mattermost, channel_id="elsewhere"))
    assert not isinstance(caught.value, Gone)


async def test_a_webhook_that_is_gone_is_final_and_is_not_shown(mattermost: Mattermost) -> None:
    driver = Driver(Config.model_validate({"webhook_url": mattermost.url + "/hooks/another-secret"}))
    with pytest.raises(Rejected, match="Invalid webhook") as caught:
        await send(driver)
    assert "another-secret" not in str(caught.value)


@BOTH
async def test_too_many_messages_wait_as_long_as_it_asks(mattermost: Mattermost, way: str) -> None:
    mattermost.answers.append(Answer(429, b"limit exceeded", {"Retry-After": "3", "X-Ratelimit-Reset": "3"}))
    with pytest.raises(Unavailable, match="limit exceeded") as caught:
        await send(_by(way, mattermost))
    assert caught.value.retry_after == 3


async def test_a_post_that_is_still_being_made_is_tried_again(mattermost: Mattermost) -> None:
    said = "Rejected post since another client is making the same request"
    mattermost.answers.append(refused(500, "api.post.deduplicate_create_post.pending", said))
    with pytest.raises(Unavailable, match="another client"):
        await send(_bot(mattermost))


@BOTH
async def test_trouble_on_the_way_passes(mattermost: Mattermost, way: str) -> None:
    mattermost.answers.append(Answer(200, b"<html>sign in first</html>"))
    with pytest.raises(Unavailable, match="sign in first"):
        await send(_by(way, mattermost))


@BOTH
async def test_the_outbound_guard_holds(mattermost: Mattermost, way: str) -> None:
    with pytest.raises(Forbidden, match="TOCSIN_OUTBOUND_ALLOW"):
        await send(_by(way, mattermost), http=Client(Allowed.read([])))
    assert mattermost.requests == []


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"url": "https://chat.example.com", "token": "t"},
        {"webhook_url": "https://chat.example.com/hooks/x", "token": "t"},
        {"webhook_url": "chat.example.com/hooks/x"},
        {"url": "chat.example.com", "token": "t", "channel_id": "c"},
        {"url": "https://chat.example.com", "token": "t", "channel_id": "../x"},
    ],
)
def test_what_cannot_be_is_refused_with_the_config(given: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Config.model_validate(given)
