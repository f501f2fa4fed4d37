"""Results as alerts, by the contract that agents and hubs share."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.notify.messages import NOON
from tocsin.alerts.events import AlertEvent
from tocsin.alerts.intake.limits import what_is_wrong
from tocsin.checkers.alerting import LONGEST, alertname, event, known_by
from tocsin.checkers.checks import CheckResult, checkers


def _event(status: str, **fields: object) -> AlertEvent:
    found = CheckResult("disk", status, "/ is 97 % full", {"used_percent": 97})
    return event(found, instance="web-1", hostname="ip-10-0-1-42", now=NOON, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(("found", "status", "severity"), [
    ("ok", "resolved", "info"), ("warning", "firing", "warning"), ("critical", "firing", "critical"),
    ("unknown", "firing", "warning"),
])  # fmt: skip
def test_what_each_status_is(found: str, status: str, severity: str) -> None:
    told = _event(found)
    assert (told.status, told.severity) == (status, severity)
    assert told.ends_at == (NOON if status == "resolved" else None)
    assert what_is_wrong(told) is None


def test_an_alert_has_one_name_and_fingerprint_whatever_is_found() -> None:
    told = [_event(status) for status in ("ok", "warning", "critical", "unknown")]
    assert {(each.name, each.fingerprint) for each in told} == {("DiskUnhealthy", "disk-ip-10-0-1-42")}
    assert told[0].labels == {
        "alertname": "DiskUnhealthy", "checker": "disk", "hostname": "ip-10-0-1-42", "instance": "web-1"
    }  # fmt: skip
    assert told[0].annotations == {"message": "/ is 97 % full", "metrics": '{"used_percent":97}'}


def test_when_it_began() -> None:
    before = NOON - timedelta(minutes=5)
    assert _event("critical", since=before).starts_at == before
    assert _event("critical").starts_at is None
    assert _event("ok", since=before).starts_at is None


def test_every_checker_has_a_name_of_its_own() -> None:
    names = {alertname(checker) for checker in checkers.names()}
    assert len(names) == len(checkers.names())
    assert alertname("prometheus_metric") == "PrometheusMetricUnhealthy"


@settings(deadline=None)
@given(st.text("abc.-", min_size=1, max_size=255), st.text("abc.-", min_size=1, max_size=255))
def test_fingerprints_fit_and_differ(one: str, other: str) -> None:
    assert len(known_by("disk", one)) <= LONGEST
    assert (known_by("disk", one) == known_by("disk", other)) == (one == other)
