"""A payload that no driver knows, read by a mapping that somebody wrote."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.alerts import mapping
from tocsin.core.errors import Rejected

PAYLOAD = {
    "site": "plant 3",
    "events": [
        {
            "title": "Pump stopped",
            "state": "raised",
            "prio": 1,
            "where": {"unit": "P-7"},
            "t": 1795262400,
            "id": 4,
        },
        {
            "title": "Valve open",
            "state": "cleared",
            "prio": 3,
            "where": {"unit": "V-1"},
            "t": 1795262460,
            "id": 5,
        },
        {"state": "raised"},
    ],
}
MAPPING = {
    "alerts": "events",
    "name": "title",
    "status": "state",
    "statuses": {"cleared": "resolved", "raised": "firing"},
    "severity": "to_string(prio)",
    "severities": {"1": "critical", "3": "info"},
    "starts_at": "t",
    "ends_at": "t",
    "fingerprint": "join('-', ['plant', to_string(id)])",
    "labels": {"instance": "where.unit", "missing": "nowhere.at.all"},
    "annotations": {"summary": "join(' ', [title, 'at', where.unit])"},
}


def read(given: dict[str, Any], payload: Any = PAYLOAD) -> Any:
    return mapping.read(given, msgspec.json.encode(payload))


def test_a_mapping_says_where_things_stand() -> None:
    reading = read(MAPPING)
    pump, valve = reading.alerts
    assert (pump.name, pump.status, pump.severity, pump.fingerprint) == (
        "Pump stopped",
        "firing",
        "critical",
        "plant-4",
    )
    assert pump.labels == {"alertname": "Pump stopped", "instance": "P-7"}
    assert pump.annotations == {"summary": "Pump stopped at P-7"}
    assert (pump.starts_at, pump.ends_at) == (datetime(2026, 11, 21, 12, tzinfo=UTC), None)
    assert (valve.status, valve.severity) == ("resolved", "info")
    assert valve.ends_at == datetime(2026, 11, 21, 12, 1, tzinfo=UTC)
    assert [(problem.index, problem.message) for problem in reading.errors] == [
        (2, "name: title gives nothing here")
    ]


def test_the_least_it_needs_is_a_name() -> None:
    (alert,) = read({"name": "site"}).alerts
    assert (alert.name, alert.status, alert.severity) == ("plant 3", "firing", "warning")
    assert read({"name": "x", "alerts": "none"}).alerts == []
    with pytest.raises(Rejected, match="name: colour gives nothing here"):
        read({"name": "colour"})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "name: Field required"),
        ({"name": "a["}, "name: not a JMESPath expression"),
        ({"name": "a", "labels": {"b": "&&"}}, "labels: not a JMESPath expression"),
        ({"name": "a", "colour": "b"}, "colour: Extra inputs are not permitted"),
        ({"name": "a", "severities": {"1": "awful"}}, "'awful' is no severity: use one of critical"),
        ({"name": "a" * 2_000}, "longer than 1000 characters"),
    ],
)
def test_what_is_wrong_with_a_mapping_is_told(given: dict[str, Any], said: str) -> None:
    with pytest.raises(Rejected, match=said.replace("[", r"\[")):
        mapping.checked(given)


def test_an_expression_that_fails_costs_its_own_alert() -> None:
    given = {"name": "title", "alerts": "events", "annotations": {"n": "length(prio)"}}
    with pytest.raises(Rejected, match=r"length\(prio\)"):
        read(given)


def test_a_refusal_is_short_however_long_the_value() -> None:
    given = {"name": "abs(title)"}
    with pytest.raises(Rejected, match=r"^abs\(title\): .{100,1000}$"):
        read(given, {"title": "x" * 9_000})


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["events", "title", "state", "prio", "where", "unit", "t", "id"]), inner
        )
    ),
    max_leaves=20,
)


@given(JSON)
def test_any_payload_gives_alerts_or_a_refusal(payload: Any) -> None:
    try:
        read(MAPPING, payload)
    except Rejected as error:
        assert str(error)
