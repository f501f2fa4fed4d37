"""A first guess at a mapping, from what a payload's fields are called."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.alerts.test_mapping import JSON, PAYLOAD
from tocsin.alerts import document, mapping
from tocsin.alerts.suggest import suggest
from tocsin.core.errors import Rejected

UUID = "0b5f7a11-6b0c-4d0c-9a53-0d6d0b5f7a11"
FIXTURES = Path(__file__).parent.parent / "fixtures" / "drivers"
RECORDED = sorted(path for path in FIXTURES.glob("*/*") if not path.name.endswith(".events.json"))


def test_the_fields_of_a_list_of_objects_are_found_by_their_names() -> None:
    guess = suggest(PAYLOAD)
    assert guess == {
        "alerts": "events",
        "name": "title",
        "status": "state",
        "statuses": {"cleared": "resolved"},
        "severity": "prio",
        "severities": {"1": "warning", "3": "warning"},
        "labels": {"instance": "where.unit"},
    }
    pump, valve = mapping.checked(guess).read(PAYLOAD).alerts
    assert (pump.name, pump.status, pump.labels["instance"]) == ("Pump stopped", "firing", "P-7")
    assert valve.status == "resolved"


@pytest.mark.parametrize(("payload", "expected"), [
    ({"title": "x", "status": "down", "tags": [{"name": "k"}]}, {"name": "title", "status": "status"}),
    ({"data": {"alert": {"title": "t"}}}, {"name": "data.alert.title"}),
    ({"host": {"name": "web"}, "problem": "down"}, {"name": "problem"}),
    ({"name": "x", "id": UUID}, {"name": "name", "fingerprint": "id"}),
    ({"name": "x", "id": 4}, {"name": "name"}),
    ({"name": "x", "url": "https://x/"}, {"name": "name", "link": "url"}),
    ({"name": "x", "url": "javascript:alert(1)"}, {"name": "name"}),
    ({"name": "x", "time": "2026-11-21T12:00:00Z"}, {"name": "name", "starts_at": "time"}),
    ({"name": "x", "time": "yesterday"}, {"name": "name"}),
    ({"Alert-Name": "x", "Severity": "high"}, {"name": '"Alert-Name"', "severity": "Severity"}),
    ({"foo": ["", {"bar": "x"}]}, {"alerts": "foo", "name": "bar"}),
    ([{"title": "x"}], {"name": "title"}),
    (["x"], {"name": "@"}),
    ("x", {"name": "@"}),
    ([], {}),
    (None, {}),
])  # fmt: skip
def test_what_is_guessed(payload: Any, expected: dict[str, Any]) -> None:
    assert suggest(payload) == expected


def _holds_text(payload: Any) -> bool:
    if isinstance(payload, dict | list):
        return any(map(_holds_text, payload.values() if isinstance(payload, dict) else payload))
    return bool(str(payload).strip()) if payload is not None else False


KEYS = st.sampled_from(["title", "state", "severity", "time", "id", "url", "host", "tags"]) | st.text()
ANY: st.SearchStrategy[Any] = st.recursive(
    JSON | st.sampled_from(["\0", UUID, "http://x/", "x" * 9_000, "9999-12-31T23:59:59-12:00"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(ANY)
def test_whatever_holds_text_is_read_by_its_guess(payload: Any) -> None:
    guess = suggest(payload)
    if guess:
        assert mapping.checked(guess).read(payload).alerts
    elif b"\\u0000" not in msgspec.json.encode(payload):  # no alert may hold it
        assert not _holds_text(payload)


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_recorded_payloads_are_read_by_their_guess(path: Path) -> None:
    try:
        payload = document.read(path.read_bytes())
    except Rejected:
        return
    assert mapping.checked(suggest(payload)).read(payload).alerts
