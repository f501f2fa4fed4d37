"""Opsgenie's alerts, against a stand-in that keeps to its limits: one incident is one alert there."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes import opsgenie as fake
from tests.fakes.opsgenie import KEY, Opsgenie
from tests.fakes.receiver import Answer
from tests.fakes.service import running
from tests.notify.messages import HOSTILE, alert, message
from tests.notify.through import send
from tocsin.core.errors import Forbidden, Rejected, Unavailable
from tocsin.core.http import Client
from tocsin.core.outbound import Allowed
from tocsin.notify.drivers.opsgenie import Config, Driver, created, said


@pytest.fixture
def opsgenie() -> Iterator[Opsgenie]:
    with running(Opsgenie) as here:
        yield here


def _driver(opsgenie: Opsgenie, **given: Any) -> Driver:
    return Driver(Config.model_validate({"api_key": KEY, "url": opsgenie.url, **given}))


async def test_the_alert_says_what_is_the_matter(opsgenie: Opsgenie) -> None:
    told = message(
        labels={"alertname": "HighCPU", "team": "a,b"}, findings=["disk is full"], owner="Ada",
        note="third try", runbook="https://wiki.example.com/cpu",
    )  # fmt: skip
    assert await send(_driver(opsgenie), told) == "Request will be processed (r3)"
    [made] = opsgenie.alerts.values()
    assert (made["message"], made["priority"], made["entity"]) == ("HighCPU on web-1", "P1", "web-1")
    for part in ("CPU at 97 %", "disk is full", "Ada is on it", "third try", told.url, told.trace_id):
        assert part in made["description"]
    assert made["tags"] == ["alertname:HighCPU", "team:a;b"]
    assert made["details"]["Runbook"] == "https://wiki.example.com/cpu"


async def test_one_incident_is_one_alert_from_its_beginning_to_its_end(opsgenie: Opsgenie) -> None:
    driver = _driver(opsgenie)
    await send(driver)
    await send(driver, message(kind="firing", reason="severity", title="HighCPU on web-1, worse"))
    [made] = opsgenie.alerts.values()
    assert (made["count"], len(made["notes"])) == (2, 1)
    assert "worse" in made["notes"][0]
    await send(driver, message(kind="acknowledged", status="acknowledged", actor="Ada"))
    assert made["status"] == "acknowledged"
    assert "Acknowledged by Ada" in made["notes"][1]
    assert opsgenie.requests[-1].json["user"] == "Ada"
    await send(driver, message(kind="resolved", status="resolved"))
    assert made["status"] == "closed"
    await send(driver, message(reason="refired"))
    assert list(opsgenie.alerts.values())[0]["count"] == 1


async def test_a_test_leaves_nothing_open(opsgenie: Opsgenie) -> None:
    await send(_driver(opsgenie), message(kind="test", incident_id=None))
    assert [made["status"] for made in opsgenie.alerts.values()] == ["closed"]


async def test_a_digest_and_a_templates_words(opsgenie: Opsgenie) -> None:
    folded = message(kind="digest", subject="12 messages", body="All of web-1.", alerts=[], incident_id=None)
    await send(_driver(opsgenie), folded)
    [made] = opsgenie.alerts.values()
    assert made["message"] == "12 messages"
    assert made["description"].startswith("All of web-1.")


@pytest.mark.parametrize(
    ("severity", "priority"),
    [("critical", "P1"), ("error", "P2"), ("warning", "P3"), ("info", "P5"), ("other", "P3")],
)
def test_the_priority_tells_the_severity(severity: str, priority: str) -> None:
    assert created(message(severity=severity))["priority"] == priority


async def test_the_largest_message_stays_within_the_limits(opsgenie: Opsgenie) -> None:
    long = HOSTILE * 400
    large = alert(name=long, labels={"instance": long}, annotations={"summary": long})
    labels = {f"{n}{long[:250]}": long for n in range(60)}
    told = message(title=long, alerts=[large] * 20, findings=[long] * 40, labels=labels, actor=long)
    for kind in ("firing", "acknowledged", "resolved"):
        await send(_driver(opsgenie), msgspec.structs.replace(told, kind=kind))
    [made] = opsgenie.alerts.values()
    assert made["status"] == "closed"
    assert "Open in Tocsin" in made["details"]


@settings(max_examples=100)
@given(st.text(), st.text(), st.dictionaries(st.text(), st.text(), max_size=3))
def test_any_text_makes_what_opsgenie_takes(title: str, text: str, labels: dict[str, str]) -> None:
    told = alert(name=title, labels=labels | {"instance": text}, annotations={"summary": text})
    made = message(title=title, alerts=[told], labels=labels, findings=[text], actor=text)
    for body in (created(made), said(made)):
        fake.check(msgspec.json.decode(msgspec.json.encode(body)))
    assert created(made)["message"].strip()


async def test_a_wrong_key_is_final_and_is_not_shown(opsgenie: Opsgenie) -> None:
    with pytest.raises(Rejected, match="Could not authenticate") as caught:
        await send(_driver(opsgenie, api_key="not-the-key"))
    assert "not-the-key" not in str(caught.value)


async def test_what_opsgenie_refuses_is_final_and_says_why(opsgenie: Opsgenie) -> None:
    opsgenie.answers.append(Answer(422, b'{"errors":{"message":"Message can not be empty."}}'))
    with pytest.raises(Rejected, match="can not be empty"):
        await send(_driver(opsgenie))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [({"X-RateLimit-Period-In-Sec": "60"}, 60), ({"Retry-After": "5", "X-RateLimit-Period-In-Sec": "60"}, 5)],
)
async def test_a_limit_that_is_reached_is_waited_for(
    opsgenie: Opsgenie, headers: dict[str, str], seconds: float
) -> None:
    opsgenie.answers.append(Answer(429, b"You are making too many requests!", headers))
    with pytest.raises(Unavailable, match="too many") as caught:
        await send(_driver(opsgenie))
    assert caught.value.retry_after == seconds


async def test_opsgenies_own_trouble_passes(opsgenie: Opsgenie) -> None:
    opsgenie.answers.append(Answer(503, b"busy"))
    with pytest.raises(Unavailable, match="busy"):
        await send(_driver(opsgenie))


async def test_the_outbound_guard_holds(opsgenie: Opsgenie) -> None:
    with pytest.raises(Forbidden, match="TOCSIN_OUTBOUND_ALLOW"):
        await send(_driver(opsgenie), http=Client(Allowed.read([])))
    assert opsgenie.requests == []
