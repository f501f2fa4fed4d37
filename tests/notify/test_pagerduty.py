"""PagerDuty's events, against a stand-in that keeps to its rules: one incident is one alert there."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.fakes import pagerduty as fake
from tests.fakes.pagerduty import KEY, PagerDuty
from tests.fakes.receiver import Answer
from tests.fakes.service import json, running
from tests.notify.messages import HOSTILE, NOON, alert, message
from tests.notify.through import send
from tests.world import World
from tocsin.core.errors import Forbidden, Rejected, Unavailable
from tocsin.core.http import Client
from tocsin.core.outbound import Allowed
from tocsin.notify.drivers.pagerduty import Config, Driver, event


@pytest.fixture
def pagerduty() -> Iterator[PagerDuty]:
    with running(PagerDuty) as here:
        yield here


def _driver(pagerduty: PagerDuty, **given: Any) -> Driver:
    return Driver(Config.model_validate({"routing_key": KEY, "url": pagerduty.url, **given}))


async def test_the_event_says_what_is_the_matter(pagerduty: PagerDuty) -> None:
    told = message(
        labels={"alertname": "HighCPU"}, findings=["disk is full"], owner="Ada", note="third try",
        runbook="https://wiki.example.com/cpu", logs="https://logs.example.com/4bf9",
    )  # fmt: skip
    assert "Event processed" in await send(_driver(pagerduty), told)
    [sent] = pagerduty.events
    payload, details = sent["payload"], sent["payload"]["custom_details"]
    assert (payload["summary"], payload["severity"], payload["source"]) == (
        "HighCPU on web-1", "critical", "web-1"
    )  # fmt: skip
    assert (payload["class"], payload["component"]) == ("HighCPU", "shop")
    assert payload["timestamp"] == "2026-11-21T12:00:00+00:00"
    for part in ("CPU at 97 % for ten minutes", "disk is full", "Ada is on it", "third try"):
        assert part in details["message"]
    assert details["trace_id"] == told.trace_id
    assert sent["client_url"] == told.url
    assert [link["text"] for link in sent["links"]] == ["Open in Tocsin", "Runbook", "Logs"]


async def test_one_incident_is_one_alert_from_its_beginning_to_its_end(pagerduty: PagerDuty) -> None:
    driver, states = _driver(pagerduty), []
    for kind in ("firing", "acknowledged", "firing", "resolved", "firing"):
        await send(driver, message(id=f"delivery-{len(states)}", kind=kind))
        states += pagerduty.alerts.values()
    assert states == ["triggered", "acknowledged", "acknowledged", "resolved", "triggered"]


def test_incidents_have_keys_of_their_own() -> None:
    keys = {
        message().key,
        message(incident_id=13).key,
        message(opened_at=NOON + timedelta(seconds=1)).key,  # the same number in another installation
        message(incident_id=None).key,
    }
    assert len(keys) == 4
    assert message(id="other", url="https://moved.example.com/").key == message().key


async def test_a_test_leaves_nothing_behind(pagerduty: PagerDuty) -> None:
    await send(_driver(pagerduty), message(kind="test", incident_id=None, severity="info"))
    assert list(pagerduty.alerts.values()) == ["resolved"]
    assert pagerduty.events[0]["payload"]["severity"] == "info"


async def test_a_templates_words_stand_in_the_place_of_ours(pagerduty: PagerDuty) -> None:
    await send(_driver(pagerduty), message(subject="CPU!", body="Look at web-1."))
    payload = pagerduty.events[0]["payload"]
    assert (payload["summary"], payload["custom_details"]["message"]) == ("CPU!", "Look at web-1.")


async def test_a_digest_says_what_it_holds(pagerduty: PagerDuty) -> None:
    folded = message(kind="digest", title="12 messages", alerts=[], incident_id=None, findings=["3 of web-1"])
    await send(_driver(pagerduty), folded)
    assert "3 of web-1" in pagerduty.events[0]["payload"]["custom_details"]["message"]


async def test_a_severity_that_pagerduty_does_not_know_is_a_warning(pagerduty: PagerDuty) -> None:
    await send(_driver(pagerduty), message(severity="disaster"))
    assert pagerduty.events[0]["payload"]["severity"] == "warning"


async def test_the_largest_message_fits(pagerduty: PagerDuty) -> None:
    long = HOSTILE * 400
    large = alert(name=long, labels={"instance": long}, annotations={"summary": long})
    labels = {f"{n}{long[:250]}": long for n in range(200)}
    await send(
        _driver(pagerduty), message(title=long, alerts=[large] * 20, findings=[long] * 40, labels=labels)
    )
    assert len(pagerduty.events) == 1


@settings(max_examples=100)
@given(st.text(), st.text(), st.dictionaries(st.text(), st.text(), max_size=3))
def test_any_text_makes_an_event_that_pagerduty_takes(title: str, text: str, labels: dict[str, str]) -> None:
    told = alert(name=title, labels=labels | {"instance": text}, annotations={"summary": text})
    made = event(message(title=title, alerts=[told], labels=labels, findings=[text]))
    fake.check(msgspec.json.decode(msgspec.json.encode(made)))


async def test_a_wrong_key_is_final_and_is_not_shown(pagerduty: PagerDuty) -> None:
    with pytest.raises(Rejected, match="should be 32 characters") as caught:
        await send(_driver(pagerduty, routing_key="too-short-a-secret"))
    assert "too-short-a-secret" not in str(caught.value)


async def test_a_success_with_an_error_inside_is_none(pagerduty: PagerDuty) -> None:
    pagerduty.answers.append(json(202, {"status": "invalid event", "message": "no"}))
    with pytest.raises(Rejected, match="invalid event"):
        await send(_driver(pagerduty))


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_what_may_pass_is_tried_again(pagerduty: PagerDuty, status: int) -> None:
    pagerduty.answers.append(Answer(status, b"throttled", {"Retry-After": "7"}))
    with pytest.raises(Unavailable, match="throttled") as caught:
        await send(_driver(pagerduty))
    assert caught.value.retry_after == 7


async def test_the_outbound_guard_holds(pagerduty: PagerDuty) -> None:
    with pytest.raises(Forbidden, match="TOCSIN_OUTBOUND_ALLOW"):
        await send(_driver(pagerduty), http=Client(Allowed.read([])))
    assert pagerduty.requests == []


def test_a_url_that_is_none_is_refused_with_the_config() -> None:
    with pytest.raises(ValidationError, match="url"):
        Config.model_validate({"routing_key": KEY, "url": "events.pagerduty.com"})


def test_from_alert_to_alert_and_back(world: World, pagerduty: PagerDuty) -> None:
    """Through intake, the database and the worker, an incident's key stays what it is."""
    world.channel("pager", "pagerduty", routing_key=KEY, url=pagerduty.url)
    world.fire(severity="critical")
    world.work()
    world.fire("DiskFull", instance="db-1")
    world.work()
    assert list(pagerduty.alerts.values()) == ["triggered", "triggered"]
    world.forward(minutes=10)
    world.resolve()
    world.work()
    assert list(pagerduty.alerts.values()) == ["resolved", "triggered"]
