"""Pushover, against a stand-in that keeps to its limits."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.fakes import pushover as fake
from tests.fakes.pushover import TOKEN, USER, Pushover
from tests.fakes.receiver import Answer
from tests.fakes.service import json, running
from tests.notify.messages import HOSTILE, alert, message
from tests.notify.through import send
from tocsin.core.errors import Forbidden, Rejected, Unavailable
from tocsin.core.http import Client
from tocsin.core.outbound import Allowed
from tocsin.notify.drivers.pushover import Config, Driver, pushed


@pytest.fixture
def pushover() -> Iterator[Pushover]:
    with running(Pushover) as here:
        yield here


def _config(**given: Any) -> Config:
    return Config.model_validate({"token": TOKEN, "user": USER, **given})


def _driver(pushover: Pushover, **given: Any) -> Driver:
    return Driver(_config(url=pushover.url, **given))


async def test_the_notification_says_what_is_the_matter(pushover: Pushover) -> None:
    told = message(findings=["disk is full"], owner="Ada", note="third try")
    assert (await send(_driver(pushover, device="droid", sound="siren"), told)).startswith("request=647d")
    [shown] = pushover.pushed
    assert (shown["title"], shown["priority"]) == ("[FIRING] HighCPU on web-1", 1)
    for part in ("CPU at 97 %", "disk is full", "Ada is on it", "third try", told.trace_id):
        assert part in shown["message"]
    assert (shown["url"], shown["url_title"]) == (told.url, "Open in Tocsin")
    assert (shown["device"], shown["sound"]) == ("droid", "siren")
    assert "html" not in shown


@pytest.mark.parametrize(
    ("kind", "severity", "priority"),
    [
        ("firing", "error", 0), ("firing", "info", -1), ("acknowledged", "critical", -1),
        ("resolved", "critical", 0), ("digest", "critical", 1),
    ],
)  # fmt: skip
async def test_the_priority_tells_how_urgent_it_is(
    pushover: Pushover, kind: str, severity: str, priority: int
) -> None:
    await send(_driver(pushover), message(kind=kind, severity=severity))
    assert pushover.pushed[0]["priority"] == priority


@pytest.mark.parametrize("kind", ["acknowledged", "resolved"])
async def test_an_emergency_rings_until_somebody_is_on_it(pushover: Pushover, kind: str) -> None:
    driver = _driver(pushover, emergency=True, retry=30, expire=600)
    await send(driver)
    await send(driver, message(incident_id=13))
    assert (pushover.pushed[0]["retry"], pushover.pushed[0]["expire"]) == (30, 600)
    await send(driver, message(kind=kind))
    assert pushover.ringing == [message(incident_id=13).key], "another incident's goes on"
    assert pushover.pushed[-1]["priority"] <= 0


async def test_what_is_not_critical_is_no_emergency(pushover: Pushover) -> None:
    await send(_driver(pushover, emergency=True), message(severity="error"))
    assert (pushover.pushed[0]["priority"], pushover.ringing) == (0, [])


async def test_a_templates_words_stand_in_the_place_of_ours(pushover: Pushover) -> None:
    await send(_driver(pushover), message(subject="CPU!", body="Look at web-1."))
    assert pushover.pushed[0]["title"] == "CPU!"
    assert pushover.pushed[0]["message"].startswith("Look at web-1.")


async def test_the_largest_message_stays_within_the_limits(pushover: Pushover) -> None:
    long = HOSTILE * 400
    large = alert(name=long, labels={"instance": long}, annotations={"summary": long})
    await send(
        _driver(pushover, emergency=True),
        message(title=long, alerts=[large] * 20, findings=[long] * 40, url="https://x.example/" + "x" * 600),
    )
    assert "url" not in pushover.pushed[0]
    assert message().trace_id in pushover.pushed[0]["message"]


@settings(max_examples=100)
@given(st.text(), st.text(), st.dictionaries(st.text(), st.text(), max_size=3))
def test_any_text_makes_what_pushover_takes(title: str, text: str, labels: dict[str, str]) -> None:
    told = alert(name=title, labels=labels | {"instance": text}, annotations={"summary": text})
    fake.check(pushed(message(title=title, alerts=[told], findings=[text]), _config(emergency=True)))


async def test_a_wrong_token_is_final_and_is_not_shown(pushover: Pushover) -> None:
    with pytest.raises(Rejected, match="application token is invalid") as caught:
        await send(_driver(pushover, token="not-the-token"))
    assert "not-the-token" not in str(caught.value)


async def test_a_wrong_user_is_final_and_is_not_shown(pushover: Pushover) -> None:
    with pytest.raises(Rejected, match="user identifier is not a valid") as caught:
        await send(_driver(pushover, user="not-the-user"))
    assert "not-the-user" not in str(caught.value)


async def test_a_success_with_an_error_inside_is_none(pushover: Pushover) -> None:
    pushover.answers.append(json(200, {"status": 0, "errors": ["no"]}))
    with pytest.raises(Rejected, match="no"):
        await send(_driver(pushover))


@pytest.mark.parametrize("status", [429, 500])
async def test_what_may_pass_is_tried_again(pushover: Pushover, status: int) -> None:
    pushover.answers.append(Answer(status, b"later"))
    with pytest.raises(Unavailable, match="later"):
        await send(_driver(pushover))


@pytest.mark.parametrize("given", [{"retry": 29}, {"expire": 10_801}])
def test_times_that_pushover_does_not_take_are_refused_with_the_config(given: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        _config(**given)


async def test_the_outbound_guard_holds(pushover: Pushover) -> None:
    with pytest.raises(Forbidden, match="TOCSIN_OUTBOUND_ALLOW"):
        await send(_driver(pushover), http=Client(Allowed.read([])))
    assert pushover.requests == []
