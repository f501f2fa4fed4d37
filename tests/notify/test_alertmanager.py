"""Alerts forwarded to another Alertmanager; ``tests/real/test_alertmanager_forward.py`` has a real one."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes import alertmanager as fake
from tests.fakes.alertmanager import Alertmanager
from tests.fakes.receiver import Answer
from tests.fakes.service import running
from tests.notify.messages import HOSTILE, NOON, alert, message
from tests.notify.through import send
from tocsin.core import clock
from tocsin.core.errors import Forbidden, Rejected, Unavailable
from tocsin.core.http import Client
from tocsin.core.outbound import Allowed
from tocsin.notify.drivers.alertmanager import Config, Driver, posted


@pytest.fixture
def alertmanager() -> Iterator[Alertmanager]:
    with running(Alertmanager) as here:
        yield here


def _driver(alertmanager: Alertmanager, **given: Any) -> Driver:
    return Driver(Config.model_validate({"url": alertmanager.url, **given}))


async def test_an_alert_arrives_as_its_source_told_it(alertmanager: Alertmanager) -> None:
    told = message(
        alerts=[alert(generator_url="https://prometheus.example.com/graph?g0.expr=up")], owner="Ada"
    )
    assert await send(_driver(alertmanager), told) == "HTTP 200: 1 forwarded"
    [made] = alertmanager.alerts.values()
    assert made["labels"] == {"alertname": "HighCPU", "instance": "web-1", "job": "shop"}
    assert made["annotations"] == {
        "summary": "CPU at 97 % for ten minutes",
        "tocsin_url": told.url, "tocsin_trace": told.trace_id, "tocsin_owner": "Ada",
    }  # fmt: skip
    assert made["generatorURL"] == "https://prometheus.example.com/graph?g0.expr=up"
    assert made["startsAt"] == "2026-11-21T12:00:00Z"
    assert alertmanager.firing() == ["HighCPU"]


async def test_what_the_message_has_no_room_for_is_said(alertmanager: Alertmanager) -> None:
    said = await send(_driver(alertmanager), message(more_alerts=7))
    assert said == "HTTP 200: 1 forwarded, 7 more were not in the message"


async def test_what_is_over_ends_there_too(alertmanager: Alertmanager) -> None:
    ended = alert(status="resolved", ended_at=NOON + timedelta(minutes=5))
    disk = alert(name="DiskFull", labels={"alertname": "DiskFull"})
    driver = _driver(alertmanager)
    await send(driver, message(alerts=[alert(), disk]))
    await send(driver, message(alerts=[ended]))
    assert alertmanager.firing() == ["DiskFull"]
    await send(driver, message(kind="resolved", alerts=[disk]))
    assert alertmanager.firing() == []


def test_an_end_never_lies_before_the_beginning() -> None:
    early = alert(status="resolved", ended_at=NOON - timedelta(minutes=5))
    fake.check(msgspec.to_builtins(posted(early, message(), NOON, timedelta(hours=1))))


async def test_an_alert_whose_end_never_comes_ends_by_itself(alertmanager: Alertmanager) -> None:
    for kind, config, hours in (("firing", {"keep_hours": 2}, 2), ("firing", {}, 168), ("test", {}, 5 / 60)):
        await send(_driver(alertmanager, **config), message(kind=kind))
        [made] = alertmanager.alerts.values()
        lasts = fake._time(made["endsAt"]) - clock.now()
        assert abs(lasts - timedelta(hours=hours)) < timedelta(minutes=1)


@pytest.mark.parametrize(
    "url", ["", "javascript:alert(1)", "http://a b", "http://x/%zz", "http://[", "/graph"]
)
async def test_where_a_source_gives_no_url_it_is_the_incidents(alertmanager: Alertmanager, url: str) -> None:
    await send(_driver(alertmanager), message(alerts=[alert(generator_url=url)]))
    [made] = alertmanager.alerts.values()
    assert made["generatorURL"] == message().url


async def test_names_are_such_as_every_version_takes(alertmanager: Alertmanager) -> None:
    labels = {"k8s.pod": "a", "k8s_pod": "b", "9lives": "c", "": "d", "empty": "", "größe": HOSTILE}
    await send(_driver(alertmanager), message(alerts=[alert(labels=labels)]))
    [made] = alertmanager.alerts.values()
    assert made["labels"] == {
        "alertname": "HighCPU", "k8s_pod": "a", "_9lives": "c", "gr__e": HOSTILE,
    }  # fmt: skip


@settings(max_examples=100)
@given(st.text(), st.dictionaries(st.text(), st.text(), max_size=4), st.text())
def test_any_text_makes_an_alert_that_it_takes(name: str, labels: dict[str, str], url: str) -> None:
    told = alert(name=name, labels=labels, annotations=labels, generator_url=url)
    fake.check(msgspec.to_builtins(posted(told, message(), NOON, timedelta(hours=1))))


async def test_what_holds_no_alerts_is_not_sent(alertmanager: Alertmanager) -> None:
    assert (
        await send(_driver(alertmanager), message(kind="acknowledged", alerts=[])) == "no alerts to forward"
    )
    with pytest.raises(Rejected, match="a digest holds no alerts"):
        await send(_driver(alertmanager), message(kind="digest", alerts=[]))
    assert alertmanager.requests == []


@pytest.mark.parametrize(
    ("proof", "given"),
    [
        ("Bearer t0ken", {"token": "t0ken"}),
        ("Basic YW5uYTpzM2NyZXQ=", {"username": "anna", "password": "s3cret"}),
    ],
)
async def test_it_signs_in(alertmanager: Alertmanager, proof: str, given: dict[str, str]) -> None:
    alertmanager.proof = proof
    await send(_driver(alertmanager, **given))
    with pytest.raises(Rejected, match="401"):
        await send(_driver(alertmanager))


async def test_the_whole_address_may_be_given(alertmanager: Alertmanager) -> None:
    await send(_driver(alertmanager, url=f"{alertmanager.url}/api/v2/alerts/"))
    assert alertmanager.firing() == ["HighCPU"]


async def test_what_it_refuses_is_final_and_what_may_pass_is_tried_again(alertmanager: Alertmanager) -> None:
    alertmanager.answers += [Answer(400, b'"invalid label set"'), Answer(503, b"starting")]
    with pytest.raises(Rejected, match="invalid label set"):
        await send(_driver(alertmanager))
    with pytest.raises(Unavailable, match="starting"):
        await send(_driver(alertmanager))


async def test_the_outbound_guard_holds(alertmanager: Alertmanager) -> None:
    with pytest.raises(Forbidden, match="TOCSIN_OUTBOUND_ALLOW"):
        await send(_driver(alertmanager), http=Client(Allowed.read([])))
    assert alertmanager.requests == []
