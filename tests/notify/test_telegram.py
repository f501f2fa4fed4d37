"""Telegram's Bot API, against a stand-in that keeps to its rules."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.fakes import telegram as fake
from tests.fakes.receiver import Answer
from tests.fakes.service import running
from tests.fakes.telegram import CHAT, GROWN, TOKEN, Telegram, limited, refused
from tests.notify.messages import HOSTILE, alert, message
from tests.notify.through import send
from tocsin.core.errors import Forbidden, Rejected, Unavailable
from tocsin.core.http import Client
from tocsin.core.outbound import Allowed
from tocsin.notify.drivers import Gone
from tocsin.notify.drivers.telegram import Config, Driver, text


@pytest.fixture
def telegram() -> Iterator[Telegram]:
    with running(Telegram) as here:
        yield here


@pytest.fixture
async def http() -> AsyncIterator[Client]:
    client = Client()
    yield client
    client.close()


def _driver(telegram: Telegram, **given: Any) -> Driver:
    config = {"token": TOKEN, "chat_id": CHAT, "api_url": telegram.url, **given}
    return Driver(Config.model_validate(config))


async def test_the_message_says_what_is_the_matter(telegram: Telegram) -> None:
    told = message(
        runbook="https://wiki.example.com/cpu", findings=["disk is full"], owner="Ada", note="third try"
    )
    assert await send(_driver(telegram), told) == "chat_id=-4242 message_id=1"
    assert telegram.messages[1]["seen"] == (
        "🔴 [FIRING] HighCPU on web-1\n\n"
        "HighCPU on web-1 · firing\nCPU at 97 % for ten minutes\n\n"
        "disk is full\nAda is on it\nthird try\n\n"
        "Open in Tocsin · Runbook\n\n"
        "critical · trace 4bf92f3577b34da6a3ce929d0e0e4736"
    )
    assert '<a href="https://wiki.example.com/cpu">Runbook</a>' in telegram.messages[1]["text"]


@pytest.mark.parametrize(("kind", "sign"), [("firing", "🔴"), ("acknowledged", "👀"), ("resolved", "✅")])
def test_its_sign_tells_how_bad_it_is(kind: str, sign: str) -> None:
    assert text(message(kind=kind))["text"].startswith(f"{sign} <b>[{kind.upper()}]")


async def test_alert_text_is_text_and_calls_nobody(telegram: Telegram) -> None:
    told = f"{HOSTILE} @everybody </b> &amp; <a href='https://evil.example'>free</a>"
    hostile = alert(name=told, labels={"instance": told}, annotations={"summary": told})
    await send(_driver(telegram), message(title=told, alerts=[hostile], findings=[told], note=told))
    sent = telegram.messages[1]
    assert sent["text"].count("<a ") == 1
    assert "@everybody" not in sent["text"]
    assert sent["seen"].count("</b> &amp; <a href='https://evil.example'>free</a>") == 5


async def test_a_templates_words_stand_in_the_place_of_ours(telegram: Telegram) -> None:
    await send(_driver(telegram), message(subject="CPU!", body="Look at <web-1>."))
    assert telegram.messages[1]["seen"].startswith("🔴 CPU!\n\nLook at <web-1>.\n\nOpen in Tocsin")


async def test_of_the_largest_message_the_most_important_is_said(telegram: Telegram) -> None:
    long = "&<😀" * 3000
    large = alert(name=long, labels={"instance": long}, annotations={"summary": long})
    told = message(title=long, alerts=[large] * 20, more_alerts=2980, findings=[long] * 40, owner=long)
    await send(_driver(telegram), told)
    assert "more\n\n" in telegram.messages[1]["seen"]
    assert "Open in Tocsin" in telegram.messages[1]["seen"]


@settings(max_examples=100)
@given(st.text(), st.text(), st.text(), st.dictionaries(st.text(), st.text(), max_size=3))
def test_any_text_makes_a_message_that_telegram_takes(
    title: str, words: str, link: str, labels: dict[str, str]
) -> None:
    told = alert(name=title, labels=labels | {"instance": words}, annotations={"summary": words})
    fake.read(text(message(title=title, alerts=[told], findings=[words], runbook=f"https://x{link}")))


async def test_what_was_written_can_say_something_else_and_is_answered(
    telegram: Telegram, http: Client
) -> None:
    driver = _driver(telegram, topic_id=7)
    handle = await driver.post(message(), http)
    for _ in range(2):  # as after a crash
        await driver.edit(handle, message(kind="resolved"), http)
    await driver.reply(handle, message(kind="resolved"), http)
    assert telegram.messages[1]["seen"].startswith("✅ [RESOLVED]")
    assert telegram.messages[2]["reply_parameters"] == {"message_id": 1}
    assert telegram.messages[2]["message_thread_id"] == 7


async def test_a_message_that_somebody_removed_is_gone(telegram: Telegram, http: Client) -> None:
    driver = _driver(telegram)
    handle = await driver.post(message(), http)
    telegram.messages.clear()
    with pytest.raises(Gone, match="message to edit not found"):
        await driver.edit(handle, message(), http)
    with pytest.raises(Gone, match="message to be replied not found"):
        await driver.reply(handle, message(), http)


async def test_a_group_that_has_grown_is_found_under_its_new_number(telegram: Telegram, http: Client) -> None:
    driver = _driver(telegram)
    old = await driver.post(message(), http)
    telegram.has_grown = True
    telegram.messages.clear()
    with pytest.raises(Gone):
        await driver.edit(old, message(), http)
    new = await driver.post(message(), http)
    assert new == {"chat_id": GROWN, "message_id": "1"}
    before = len(telegram.requests)
    await driver.edit(new, message(kind="resolved"), http)
    assert len(telegram.requests) == before + 1, "it remembers where it wrote"


async def test_a_topic_that_is_gone_is_final(telegram: Telegram, http: Client) -> None:
    driver = _driver(telegram, topic_id=7)
    handle = await driver.post(message(), http)
    with pytest.raises(Rejected, match="message thread not found") as caught:
        await _driver(telegram, topic_id=8).reply(handle, message(), http)
    assert not isinstance(caught.value, Gone), "a new message would be refused as well"


@pytest.mark.parametrize(
    ("given", "said"),
    [({"token": "1:wrong-secret"}, "Unauthorized"), ({"chat_id": "@elsewhere"}, "chat not found")],
)
async def test_what_is_set_wrong_is_final_and_shows_no_token(
    telegram: Telegram, given: dict[str, str], said: str
) -> None:
    with pytest.raises(Rejected, match=said) as caught:
        await send(_driver(telegram, **given))
    assert "wrong-secret" not in str(caught.value)
    assert TOKEN not in str(caught.value)


async def test_too_many_messages_wait_as_long_as_telegram_asks(telegram: Telegram) -> None:
    telegram.answers.append(limited(35))
    with pytest.raises(Unavailable, match="retry after 35") as caught:
        await send(_driver(telegram))
    assert caught.value.retry_after == 35


@pytest.mark.parametrize(
    "answer", [refused(500, "Internal Server Error"), Answer(200, b"sign in first"), Answer(200, b"{}")]
)
async def test_trouble_on_the_way_passes(telegram: Telegram, answer: Answer) -> None:
    telegram.answers.append(answer)
    with pytest.raises(Unavailable):
        await send(_driver(telegram))


async def test_the_outbound_guard_holds(telegram: Telegram) -> None:
    with pytest.raises(Forbidden, match="TOCSIN_OUTBOUND_ALLOW"):
        await send(_driver(telegram), http=Client(Allowed.read([])))
    assert telegram.requests == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("token", ""),
        ("token", "1:a/../../x"),
        ("chat_id", "ops"),
        ("chat_id", ""),
        ("api_url", "telegram.org"),
    ],
)
def test_what_cannot_be_is_refused_with_the_config(name: str, value: str) -> None:
    with pytest.raises(ValidationError, match=name):
        Config.model_validate({"token": TOKEN, "chat_id": CHAT, name: value})
