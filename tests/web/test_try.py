"""Trying a payload: what it would give, and a first guess at a mapping."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from tests.statements import counted
from tests.web.markup import Page, open_page, read
from tocsin.alerts import sources
from tocsin.alerts.drivers import drivers
from tocsin.alerts.models import Alert, AlertHistory, ParkedPayload, Source
from tocsin.core import clock
from tocsin.core.labels import fingerprint
from tocsin.web.views import payloads

NASTY = "<script>window.hacked=1</script>"
UNKNOWN = {"events": [{"title": "Pump stopped", "state": "cleared", "unit": "P-7"}, {"unit": "P-8"}]}
MAPPING = '{"alerts": "events", "name": "title", "labels": {"instance": "unit"}}'


def attempt(
    browser: Client, payload: Any, how: str = "found", path: str = "/sources/try/", **more: str
) -> Page:
    """Send the form; the page that follows."""
    text = payload if isinstance(payload, str) else json.dumps(payload)
    answer = browser.post(path, {"payload": text, "how": how, "mapping": "", **more})
    assert answer.status_code == 200
    page = read(answer)
    assert page.can_run() == []
    assert not Alert.objects.exists() and not AlertHistory.objects.exists(), "nothing is stored"
    assert not ParkedPayload.objects.exists()
    return page


def written(page: Page) -> str:
    """What stands in the mapping's text area."""
    return page.text.partition("Mapping optional")[2].partition("\n\n")[0].strip()


def test_it_offers_each_way_of_reading(alice: Client) -> None:
    page = open_page(alice, "/sources/try/")
    values = [a["value"] for tag, a in page.elements if tag == "option"]
    assert values == ["found", "mapping", *drivers.names()]


def test_the_driver_is_found(alice: Client) -> None:
    alert = {"name": "DiskFull", "status": "firing", "severity": "critical", "message": "97 %",
             "labels": {"instance": "db-1"}, "url": "https://grafana.example/d/1",
             "started_at": (clock.now() - timedelta(hours=3)).isoformat()}  # fmt: skip
    page = attempt(alice, alert)
    for told in (
        "1 alert",
        "read by generic",
        "DiskFull",
        "critical",
        "firing",
        "Since 3 h ago",
        "db-1",
        "97 %",
    ):
        assert told in page.text, told
    assert fingerprint({"alertname": "DiskFull", "instance": "db-1"}) in page.text
    assert "https://grafana.example/d/1" in page.attributes("href")
    ended = attempt(alice, {**alert, "status": "resolved", "ended_at": clock.now().isoformat()})
    assert "Ended just now" in ended.text


def test_a_form_and_xml_are_payloads_too(alice: Client) -> None:
    assert "Pump" in attempt(alice, "title=Pump&x=1", "mapping", mapping='{"name": "title"}').text
    xml = "<event>\r\n<title>Pump &lt;7&gt;</title></event>\r\n"
    assert "Pump <7>" in attempt(alice, xml, "mapping", mapping='{"name": "event.title"}').text


def test_by_a_mapping_with_errors_by_place(alice: Client) -> None:
    page = attempt(alice, UNKNOWN, "mapping", mapping=MAPPING)
    for told in (
        "1 alert",
        "read by the mapping",
        "Pump stopped",
        "P-7",
        "alerts[1]",
        "title gives nothing here",
    ):
        assert told in page.text, told


def test_by_a_named_driver(alice: Client) -> None:
    page = attempt(alice, {"name": "x"}, "zabbix")
    assert "Nothing can be read from it" in page.text
    assert "event_name: expected a text" in page.text


def test_when_none_fits_each_says_why(alice: Client) -> None:
    page = attempt(alice, UNKNOWN)
    assert "no driver reads this payload" in page.text
    for name in drivers.names():
        assert name in page.text
    assert "Tried" not in page.text
    lines = [tag for tag, _ in page.elements if tag == "li"]
    assert len(lines) >= len(drivers.names())


@pytest.mark.parametrize(("text", "said"), [
    ("", "This field is required."),
    ("x\0y", "Null characters are not allowed."),
    ("{", "not JSON"),
    ("hello", "neither JSON, XML nor a form"),
    ("<a", "not XML"),
    ("[" * 100_000, "not JSON"),
    ('"\\ud800"', "Nothing can be read"),
    ("[]", "Nothing can be read"),
])  # fmt: skip
def test_what_is_no_payload_is_said(text: str, said: str, alice: Client) -> None:
    for more in ({}, {"suggest": "1"}):
        assert said in attempt(alice, text, **more).text


def test_deeply_nested_is_no_error(alice: Client) -> None:
    for depth in (100, 400, 800, 950):
        assert attempt(alice, '{"a":' * depth + "1" + "}" * depth, suggest="1").text
        assert attempt(alice, "[" * depth + "]" * depth, "mapping", mapping='{"name": "@"}').text


@pytest.mark.parametrize(("how", "mapping", "said"), [
    ("mapping", "", "Write a mapping, or have one suggested."),
    ("mapping", "{", "This is not JSON"),
    ("mapping", '{"alerts": "a"}', "name: it is missing"),
    ("nonsense", "", "Select a valid choice."),
    ("", "", "This field is required."),
])  # fmt: skip
def test_what_is_wrong_is_said_at_its_field(how: str, mapping: str, said: str, alice: Client) -> None:
    page = attempt(alice, UNKNOWN, how, mapping=mapping)
    assert said in page.text
    assert [a["name"] for _, a in page.elements if "aria-invalid" in a] == [
        "mapping" if mapping or how == "mapping" else "how"
    ]
    assert "Mend what is marked" in page.text


def test_a_mapping_that_does_not_read_costs_nothing(alice: Client) -> None:
    assert "read by generic" in attempt(alice, {"name": "x"}, mapping="{ not finished").text


def test_a_mapping_is_suggested_and_tried(alice: Client) -> None:
    page = attempt(alice, UNKNOWN, suggest="1", mapping="what stood there")
    assert '"alerts": "events"' in page.text and "what stood there" not in page.text
    assert "read by the mapping" in page.text and "Pump stopped" in page.text and "resolved" in page.text
    assert [a["value"] for tag, a in page.elements if tag == "option" and "selected" in a] == ["mapping"]
    nothing = attempt(alice, "null", suggest="1", mapping=MAPPING)
    assert MAPPING in nothing.text, "what was written stays where nothing can be guessed"


def test_as_a_source_would_send_it(alice: Client) -> None:
    mapping = json.loads(MAPPING)
    sources.create_source(name="plant", labels={"site": "north"}, now=clock.now(), mapping=mapping)
    path = f"/sources/try/?source={Source.objects.get().pk}"
    begun = open_page(alice, path)
    assert '"alerts": "events"' in begun.text
    assert [a["value"] for tag, a in begun.elements if tag == "option" and "selected" in a] == ["mapping"]
    page = attempt(alice, UNKNOWN, "mapping", path, mapping=MAPPING)
    assert "site=north" in page.text and "source=plant" in page.text
    assert path in page.attributes("hx-post")


@pytest.mark.parametrize("query", ["source=", "source=4711", "parked=x", f"parked={'9' * 30}", "source=%00"])
def test_of_what_is_not_there(query: str, alice: Client) -> None:
    open_page(alice, f"/sources/try/?{query}")


def test_very_many_are_not_all_shown(alice: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payloads, "SHOWN", 2)
    page = attempt(alice, [*({"name": f"pump-{n}"} for n in range(5)), {}, {}, {}], "generic")
    assert "5 alerts" in page.text and "The first 2 are shown." in page.text
    shown = page.text.partition("5 alerts")[2]
    assert "pump-1" in shown and "pump-2" not in shown
    assert "alerts[6]" in page.text and "alerts[7]" not in page.text


@pytest.mark.parametrize(
    "nasty", [NASTY, '"><svg onload=alert(1)>', "javascript:alert(1)", "\u202egnp.exe", "{{ 7*7 }}"]
)
def test_their_text_is_text(nasty: str, alice: Client) -> None:
    alert = {"name": nasty, "labels": {nasty: nasty, "items": nasty}, "annotations": {nasty: nasty},
             "url": nasty, "status": "firing", "fingerprint": nasty[:60]}  # fmt: skip
    page = attempt(alice, alert)
    assert page.text.count(nasty) >= 5 or "not printable" in page.text
    assert nasty not in page.attributes("href")
    page = attempt(alice, {"x": nasty}, "mapping", mapping=json.dumps({"name": nasty}))
    assert nasty in page.text or json.dumps(nasty)[1:-1] in page.text


def test_it_asks_the_database_little(alice: Client) -> None:
    with counted() as asked:
        alice.post("/sources/try/", {"payload": json.dumps(UNKNOWN), "how": "found"})
    assert len(asked) <= 4, asked
