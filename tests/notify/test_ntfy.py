"""ntfy, against a stand-in that keeps to a server's limits."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.fakes import ntfy as fake
from tests.fakes.ntfy import GUARDED, TOKEN, TOPIC, Ntfy
from tests.fakes.receiver import Answer
from tests.fakes.service import json, running
from tests.notify.messages import HOSTILE, alert, message
from tests.notify.through import send
from tocsin.core.errors import Forbidden, Rejected, Unavailable
from tocsin.core.http import Client
from tocsin.core.outbound import Allowed
from tocsin.notify.drivers.ntfy import Config, Driver, published


@pytest.fixture
def ntfy() -> Iterator[Ntfy]:
    with running(Ntfy) as here:
        yield here


def _driver(ntfy: Ntfy, **given: Any) -> Driver:
    return Driver(Config.model_validate({"topic": TOPIC, "url": ntfy.url, **given}))


async def test_the_notification_says_what_is_the_matter(ntfy: Ntfy) -> None:
    told = message(
        findings=["disk is full"], owner="Ada", note="third try",
        runbook="https://wiki.example.com/cpu", logs="https://logs.example.com/4bf9",
    )  # fmt: skip
    assert await send(_driver(ntfy), told) == "id=xE73Iyuabi"
    [shown] = ntfy.shown.values()
    assert (shown["title"], shown["priority"]) == ("[FIRING] HighCPU on web-1", 5)
    for part in ("CPU at 97 %", "disk is full", "Ada is on it", "third try", told.trace_id):
        assert part in shown["message"]
    assert shown["click"] == told.url
    assert [action["label"] for action in shown["actions"]] == ["Open in Tocsin", "Runbook", "Logs"]
    assert shown["tags"] == ["rotating_light", "critical"]
    assert "markdown" not in shown


@pytest.mark.parametrize(
    ("kind", "severity", "priority", "sign"),
    [
        ("firing", "error", 4, "red_circle"),
        ("firing", "warning", 3, "warning"),
        ("firing", "info", 2, "information_source"),
        ("acknowledged", "critical", 2, "eyes"),
        ("resolved", "critical", 3, "white_check_mark"),
        ("digest", "critical", 5, "rotating_light"),
    ],
)
async def test_what_is_over_looks_and_sounds_different(
    ntfy: Ntfy, kind: str, severity: str, priority: int, sign: str
) -> None:
    await send(_driver(ntfy), message(kind=kind, severity=severity))
    [shown] = ntfy.shown.values()
    assert (shown["priority"], shown["tags"][0]) == (priority, sign)


async def test_a_message_that_is_sent_again_is_shown_once(ntfy: Ntfy) -> None:
    await send(_driver(ntfy))
    await send(_driver(ntfy))
    await send(_driver(ntfy), message(id="another", kind="resolved"))
    assert len(ntfy.shown) == 2


async def test_a_templates_words_stand_in_the_place_of_ours(ntfy: Ntfy) -> None:
    await send(_driver(ntfy), message(subject="CPU!", body="Look at web-1."))
    [shown] = ntfy.shown.values()
    assert shown["title"] == "CPU!"
    assert shown["message"] == f"Look at web-1.\n\ntrace {message().trace_id}"


@pytest.mark.parametrize("proof", [{"token": TOKEN}, {"username": "phil", "password": "mypass"}])
async def test_a_guarded_topic_takes_a_token_or_a_password(ntfy: Ntfy, proof: dict[str, str]) -> None:
    with pytest.raises(Rejected, match="forbidden"):
        await send(_driver(ntfy, topic=GUARDED))
    await send(_driver(ntfy, topic=GUARDED, **proof))
    assert len(ntfy.shown) == 1


async def test_a_wrong_token_is_final_and_is_not_shown(ntfy: Ntfy) -> None:
    with pytest.raises(Rejected, match="unauthorized") as caught:
        await send(_driver(ntfy, token="tk_wrong"))
    assert "tk_wrong" not in str(caught.value)


@pytest.mark.parametrize("text", [HOSTILE * 400, "\x01" * 20_000, "😀" * 5000])
async def test_the_largest_message_stays_a_message(ntfy: Ntfy, text: str) -> None:
    large = alert(name=text, labels={"instance": text}, annotations={"summary": text})
    link = "https://wiki.example.com/?" + "q" * 1900
    await send(
        _driver(ntfy),
        message(title=text, alerts=[large] * 20, findings=[text] * 40, runbook=link, logs=link),
    )
    [shown] = ntfy.shown.values()
    assert shown["actions"][0]["label"] == "Open in Tocsin"


@settings(max_examples=100)
@given(st.text(), st.text(), st.dictionaries(st.text(), st.text(), max_size=3))
def test_any_text_makes_what_ntfy_takes(title: str, text: str, labels: dict[str, str]) -> None:
    told = alert(name=title, labels=labels | {"instance": text}, annotations={"summary": text})
    fake.check(published(message(title=title, alerts=[told], findings=[text], runbook=text), TOPIC))


async def test_a_limit_that_is_reached_passes(ntfy: Ntfy) -> None:
    said = {"code": 42901, "http": 429, "error": "limit reached: too many requests"}
    ntfy.answers += [json(429, said), Answer(429, b"busy", {"Retry-After": "9"}), Answer(502, b"proxy")]
    waits = []
    for _ in range(3):
        with pytest.raises(Unavailable) as caught:
            await send(_driver(ntfy))
        waits.append(caught.value.retry_after)
    assert waits == [None, 9, None]


@pytest.mark.parametrize("topic", ["", "a/b", "ops alerts", "x" * 65])
def test_a_topic_that_is_none_is_refused_with_the_config(topic: str) -> None:
    with pytest.raises(ValidationError, match="topic"):
        Config.model_validate({"topic": topic})


async def test_the_outbound_guard_holds(ntfy: Ntfy) -> None:
    with pytest.raises(Forbidden, match="TOCSIN_OUTBOUND_ALLOW"):
        await send(_driver(ntfy), http=Client(Allowed.read([])))
    assert ntfy.requests == []
