"""Discord's webhooks, against a stand-in that keeps to Discord's rules."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.fakes import discord as fake
from tests.fakes.discord import Discord, limited
from tests.fakes.receiver import Answer
from tests.fakes.service import running
from tests.notify.messages import HOSTILE, alert, message
from tests.notify.through import send
from tocsin.core.errors import Forbidden, Rejected, Unavailable
from tocsin.core.http import Client
from tocsin.core.outbound import Allowed
from tocsin.notify.drivers import Gone
from tocsin.notify.drivers.discord import Config, Driver, card


@pytest.fixture
def discord() -> Iterator[Discord]:
    with running(Discord) as here:
        yield here


def _driver(discord: Discord, **given: Any) -> Driver:
    return Driver(Config.model_validate({"webhook_url": discord.url, **given}))


def _embed(discord: Discord) -> Any:
    [sent] = discord.messages.values()
    return sent["embeds"][0]


async def test_the_card_says_what_is_the_matter(discord: Discord) -> None:
    told = message(
        runbook="https://wiki.example.com/cpu", logs="https://logs.example.com/4bf9",
        findings=["disk is full"], owner="Ada", note="third try", more_alerts=3,
    )  # fmt: skip
    assert (await send(_driver(discord), told)).startswith("message_id=13")
    embed = _embed(discord)
    assert embed["title"] == "[FIRING] HighCPU on web-1"
    assert embed["timestamp"] == "2026-11-21T12:00:00+00:00"
    assert embed["footer"]["text"] == "critical · trace 4bf92f3577b34da6a3ce929d0e0e4736"
    assert embed["description"] == (
        "**HighCPU on web-1 · firing**\n"
        "CPU at 97 % for ten minutes\n\n"
        "… and 3 more\n\n"
        "disk is full\nAda is on it\nthird try\n\n"
        "[Open in Tocsin](https://tocsin.example.com/incidents/12/) · "
        "[Runbook](https://wiki.example.com/cpu) · [Logs](https://logs.example.com/4bf9)"
    )


@pytest.mark.parametrize(
    ("kind", "colour"), [("firing", 0xD32F2F), ("acknowledged", 0x6B7280), ("resolved", 0x2E9E5B)]
)
def test_the_colour_tells_how_bad_it_is(kind: str, colour: int) -> None:
    assert card(message(kind=kind))["embeds"][0]["color"] == colour


async def test_a_templates_words_stand_in_the_place_of_ours(discord: Discord) -> None:
    await send(_driver(discord), message(subject="CPU!", body="Look at *web-1*."))
    assert _embed(discord)["title"] == "CPU!"
    assert _embed(discord)["description"].startswith("Look at \\*web-1\\*.\n\n[Open in Tocsin]")


async def test_a_digest_says_what_it_holds(discord: Discord) -> None:
    folded = message(kind="digest", title="12 messages", alerts=[], incident_id=None, findings=["3 of web-1"])
    await send(_driver(discord), folded)
    assert _embed(discord)["description"].startswith("3 of web-1\n\n[Open")


async def test_alert_text_marks_nothing_and_calls_nobody(discord: Discord) -> None:
    text = f"{HOSTILE} @everyone <@&1> [free](https://evil.example) https://grafana.example.com/d/cpu_load"
    hostile = alert(name=text, labels={"instance": text}, annotations={"summary": text})
    await send(_driver(discord), message(title=text, alerts=[hostile], findings=[text], note=text))
    [sent] = discord.messages.values()
    assert sent["allowed_mentions"] == {"parse": []}
    assert "content" not in sent, "only there do mentions ring"
    said = sent["embeds"][0]["description"]
    for mark in ("](https://evil", "`", "<@", "@everyone"):
        assert mark not in said.replace(f"\\{mark}", "")
    assert "\u202e" not in said
    assert "https://grafana.example.com/d/cpu_load" in said, "it can still be followed"


def test_a_link_that_is_none_costs_nobody_the_message() -> None:
    for runbook in ("http://", "http://[x", "https://a b/) [x](https://evil.example", "javascript:alert(1)"):
        said = card(message(runbook=runbook))["embeds"][0]["description"]
        assert "](https://evil" not in said
        assert "javascript" not in said
        assert "[Open in Tocsin](https://tocsin.example.com/incidents/12/)" in said


async def test_of_the_largest_message_the_most_important_is_said(discord: Discord) -> None:
    long = "*_`" * 3000
    large = alert(name=long, labels={"instance": long}, annotations={"summary": long})
    told = message(title=long, alerts=[large] * 20, more_alerts=2980, findings=[long] * 40, owner=long)
    await send(_driver(discord), told)
    assert "… and 2999 more" in _embed(discord)["description"]
    assert "Open in Tocsin" in _embed(discord)["description"]


@settings(max_examples=100)
@given(st.text(), st.text(), st.text(), st.dictionaries(st.text(), st.text(), max_size=3))
def test_any_text_makes_a_card_that_discord_takes(
    title: str, text: str, link: str, labels: dict[str, str]
) -> None:
    told = alert(name=title, labels=labels | {"instance": text}, annotations={"summary": text})
    made = card(message(title=title, alerts=[told], findings=[text], runbook=f"https://x{link}", owner=text))
    fake.check(msgspec.json.decode(msgspec.json.encode(made)))


async def test_what_was_posted_can_say_something_else(discord: Discord) -> None:
    driver, http = _driver(discord), Client()
    handle = await driver.post(message(), http)
    for _ in range(2):  # as after a crash
        await driver.edit(handle, message(kind="resolved"), http)
    http.close()
    assert _embed(discord)["title"] == "[RESOLVED] HighCPU on web-1"


async def test_a_message_that_somebody_removed_is_gone(discord: Discord) -> None:
    driver, http = _driver(discord), Client()
    handle = await driver.post(message(), http)
    discord.messages.clear()
    with pytest.raises(Gone, match="Unknown Message"):
        await driver.edit(handle, message(), http)
    with pytest.raises(Rejected, match="cannot answer"):
        await driver.reply(handle, message(), http)
    http.close()


async def test_it_posts_and_edits_in_a_thread(discord: Discord) -> None:
    discord.threads.add("42")
    driver, http = _driver(discord, thread_id="42"), Client()
    await driver.edit(await driver.post(message(), http), message(), http)
    http.close()
    assert [request.path.partition("?")[2] for request in discord.requests] == [
        "wait=true&thread_id=42", "thread_id=42"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "said"),
    [(("/2237", "/1237"), "Unknown Webhook"), (("939e", "0000"), "Invalid Webhook Token")],
)
async def test_a_webhook_that_is_gone_is_final_and_not_shown(
    discord: Discord, changed: tuple[str, str], said: str
) -> None:
    url = discord.url.replace(*changed)
    with pytest.raises(Rejected, match=said) as caught:
        await send(_driver(discord, webhook_url=url))
    assert "bb7572e0fb30" not in str(caught.value)


async def test_too_many_messages_wait_as_long_as_discord_asks(discord: Discord) -> None:
    discord.answers.append(limited(64.57))
    with pytest.raises(Unavailable, match="being rate limited") as caught:
        await send(_driver(discord))
    assert caught.value.retry_after == 64.57


@pytest.mark.parametrize("answer", [Answer(502, b"<html>"), Answer(200, b"<html>sign in first</html>")])
async def test_trouble_on_the_way_passes(discord: Discord, answer: Answer) -> None:
    discord.answers.append(answer)
    with pytest.raises(Unavailable, match="<html>"):
        await send(_driver(discord))


async def test_the_outbound_guard_holds(discord: Discord) -> None:
    with pytest.raises(Forbidden, match="TOCSIN_OUTBOUND_ALLOW"):
        await send(_driver(discord), http=Client(Allowed.read([])))
    assert discord.requests == []


@pytest.mark.parametrize("url", ["", "https://discord.com/channels/1/2", "file:///api/webhooks/1/a"])
def test_what_is_no_webhook_is_refused_with_the_config(url: str) -> None:
    with pytest.raises(ValidationError, match="webhook_url"):
        Config.model_validate({"webhook_url": url})
