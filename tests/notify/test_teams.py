"""Microsoft Teams' webhooks, against a stand-in that keeps to their rules."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.fakes import teams as fake
from tests.fakes.receiver import Answer
from tests.fakes.service import running
from tests.fakes.teams import Teams, failed
from tests.notify.messages import HOSTILE, alert, message
from tests.notify.through import send
from tocsin.core.errors import Forbidden, Rejected, Unavailable
from tocsin.core.http import Client
from tocsin.core.outbound import Allowed
from tocsin.notify.drivers.teams import Config, Driver, adaptive_card, message_card

BOTH = pytest.mark.parametrize("style", ["adaptive_card", "message_card"])


@pytest.fixture
def teams() -> Iterator[Teams]:
    with running(Teams) as here:
        yield here


def _driver(teams: Teams, style: str = "adaptive_card") -> Driver:
    url = teams.connector if style == "message_card" else teams.flow
    return Driver(Config.model_validate({"webhook_url": url, "style": style}))


def _said(card: dict[str, Any]) -> list[str]:
    """A card's lines as people see them, marked ``*`` where they are bold."""
    if "sections" in card:
        return [card["title"], *fake.seen(card["sections"][0]["text"]).split("\n")]
    head, *rest = card["body"]
    runs = [element["inlines"][0] for element in [*head["items"], *rest]]
    return [("*" if "weight" in run else "") + run["text"] for run in runs]


TOLD = message(
    runbook="https://wiki.example.com/cpu", logs="https://logs.example.com/4bf9",
    findings=["disk is full"], owner="Ada", note="third try", more_alerts=3,
)  # fmt: skip
LINKS = {
    "Open in Tocsin": "https://tocsin.example.com/incidents/12/",
    "Runbook": "https://wiki.example.com/cpu",
    "Logs": "https://logs.example.com/4bf9",
}


async def test_the_card_says_what_is_the_matter(teams: Teams) -> None:
    assert await send(_driver(teams), TOLD) == "HTTP 202"
    [card] = teams.cards
    assert _said(card) == [
        "*[FIRING] HighCPU on web-1", "*HighCPU on web-1 · firing", "CPU at 97 % for ten minutes",
        "… and 3 more", "disk is full", "Ada is on it", "third try",
        "critical · trace 4bf92f3577b34da6a3ce929d0e0e4736",
    ]  # fmt: skip
    assert [element.get("spacing") for element in card["body"]] == [
        None, "Medium", "None", "Medium", "Medium", "None", "None", "Medium"
    ]  # fmt: skip
    assert {action["title"]: action["url"] for action in card["actions"]} == LINKS


async def test_old_connectors_get_the_same_as_a_message_card(teams: Teams) -> None:
    assert await send(_driver(teams, "message_card"), TOLD) == "HTTP 200"
    [card] = teams.cards
    assert "\n".join(_said(card)) == (
        "[FIRING] HighCPU on web-1\nHighCPU on web-1 · firing\nCPU at 97 % for ten minutes\n\n"
        "… and 3 more\n\ndisk is full\nAda is on it\nthird try\n\n"
        "critical · trace 4bf92f3577b34da6a3ce929d0e0e4736"
    )
    ways = {action["name"]: action["targets"][0]["uri"] for action in card["potentialAction"]}
    assert ways == LINKS


@pytest.mark.parametrize(
    ("kind", "style", "colour"),
    [
        ("firing", "attention", "d32f2f"),
        ("acknowledged", "emphasis", "6b7280"),
        ("resolved", "good", "2e9e5b"),
    ],
)
def test_the_colour_tells_how_bad_it_is(kind: str, style: str, colour: str) -> None:
    told = message(kind=kind)
    assert adaptive_card(told)["attachments"][0]["content"]["body"][0]["style"] == style
    assert message_card(told)["themeColor"] == colour


@BOTH
async def test_alert_text_is_text_and_calls_nobody(teams: Teams, style: str) -> None:
    text = f"{HOSTILE} <at>Everyone</at> **bold** [free](https://evil.example) <a href=x>y</a>"
    hostile = alert(name=text, labels={"instance": text}, annotations={"summary": text})
    await send(_driver(teams, style), message(title=text, alerts=[hostile], findings=[text], note=text))
    said = "\n".join(_said(teams.cards[0]))
    assert said.count("<at>Everyone</at> **bold** [free](https://evil.example) <a href=x>y</a>") == 5
    assert "\u202e" not in said


@BOTH
async def test_a_templates_words_stand_in_the_place_of_ours(teams: Teams, style: str) -> None:
    await send(_driver(teams, style), message(subject="CPU!", body="Look at\n\n<web-1>."))
    said = [line.lstrip("*") for line in _said(teams.cards[0]) if line]
    assert said[:3] == ["CPU!", "Look at", "<web-1>."]


@BOTH
@pytest.mark.parametrize("long", ['"\\' * 9000, "&<😀" * 9000, "a\n" * 9000])
async def test_of_the_largest_message_the_most_important_is_said(teams: Teams, style: str, long: str) -> None:
    large = alert(name=long, labels={"instance": long}, annotations={"summary": long})
    told = message(
        title=long, alerts=[large] * 20, more_alerts=2980, findings=[long] * 40, owner=long,
        runbook="https://x/" + "a" * 1900, logs="https://x/" + "a" * 1900, trace_id=long,
    )  # fmt: skip
    await send(_driver(teams, style), told)
    assert any(line.endswith(" more") for line in _said(teams.cards[0]))


@settings(max_examples=100)
@given(st.text(), st.text(), st.text(), st.dictionaries(st.text(), st.text(), max_size=3))
def test_any_text_makes_a_card_that_teams_takes(
    title: str, words: str, link: str, labels: dict[str, str]
) -> None:
    told = alert(name=title, labels=labels | {"instance": words}, annotations={"summary": words})
    whole = message(title=title, alerts=[told], findings=[words], runbook=f"https://x{link}", owner=words)
    for made, check in (
        (adaptive_card(whole), fake.check_adaptive),
        (message_card(whole), fake.check_message_card),
    ):
        sent = msgspec.json.encode(made)
        check(msgspec.json.decode(sent), len(sent))


@pytest.mark.parametrize(
    ("changed", "said"),
    [(("sig=nMN", "sig=xxx"), "DirectApiAuthorizationRequired"), (("36e08", "00000"), "WorkflowNotFound")],
)
async def test_a_workflow_that_is_gone_is_final_and_not_shown(
    teams: Teams, changed: tuple[str, str], said: str
) -> None:
    url = teams.flow.replace(*changed)
    with pytest.raises(Rejected, match=said) as caught:
        await send(Driver(Config.model_validate({"webhook_url": url})))
    assert "9pvbA1fn32MmVtFTE6XQz5g" not in str(caught.value)


async def test_a_card_of_the_other_style_is_refused(teams: Teams) -> None:
    for url, style in ((teams.connector, "adaptive_card"), (teams.flow, "message_card")):
        with pytest.raises(Rejected, match="HTTP error 400|must be 'message'"):
            await send(Driver(Config.model_validate({"webhook_url": url, "style": style})))


async def test_too_many_messages_wait_as_long_as_teams_asks(teams: Teams) -> None:
    teams.answers.append(Answer(429, b'{"error":{"code":"TooManyRequests"}}', {"Retry-After": "9"}))
    with pytest.raises(Unavailable, match="TooManyRequests") as caught:
        await send(_driver(teams))
    assert caught.value.retry_after == 9


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_an_error_inside_a_success_that_may_pass_is_tried_again(teams: Teams, status: int) -> None:
    teams.answers.append(failed(status))
    with pytest.raises(Unavailable, match=f"HTTP error {status}"):
        await send(_driver(teams, "message_card"))


@pytest.mark.parametrize("status", [400, 403, 404, 413])
async def test_an_error_inside_a_success_that_will_not_pass_is_final(teams: Teams, status: int) -> None:
    teams.answers.append(failed(status))
    with pytest.raises(Rejected, match=f"HTTP error {status}"):
        await send(_driver(teams, "message_card"))


@pytest.mark.parametrize(
    "said",
    [
        "<html>sign in first</html>",
        "System.Net.Http.HttpRequestException: Error while copying content to a stream.",
        "Webhook message delivery failed with error: Error contacting Microsoft Teams endpoint",
    ],
)
async def test_trouble_on_the_way_passes(teams: Teams, said: str) -> None:
    teams.answers.append(Answer(200, said.encode()))
    with pytest.raises(Unavailable, match="Teams said: |a page in place"):
        await send(_driver(teams))


async def test_the_outbound_guard_holds(teams: Teams) -> None:
    with pytest.raises(Forbidden, match="TOCSIN_OUTBOUND_ALLOW"):
        await send(_driver(teams), http=Client(Allowed.read([])))
    assert teams.requests == []


@pytest.mark.parametrize(
    ("name", "value"), [("webhook_url", ""), ("webhook_url", "prod-1.logic.azure.com"), ("style", "card")]
)
def test_what_cannot_be_is_refused_with_the_config(name: str, value: str) -> None:
    with pytest.raises(ValidationError, match=name):
        Config.model_validate({"webhook_url": "https://x", name: value})
