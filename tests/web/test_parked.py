"""What nobody could read: looked at, tried, replayed, forgotten."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from tests.doorway import ANY, doorway
from tests.statements import counted
from tests.web.markup import Page, open_page, read
from tocsin.alerts import parked, sources
from tocsin.alerts.drivers import drivers
from tocsin.alerts.models import Alert, AlertHistory, ParkedPayload, Source
from tocsin.alerts.parked import LONGEST, MOST, Unread
from tocsin.core import clock

NASTY = "<script>window.hacked=1</script>"
BODY = b'{"events":[{"title":"Pump stopped","unit":"P-7"}]}'
REFUSED = (
    "no driver reads this payload; post something else. "
    "Tried generic: a; b; zabbix: event_name: expected a text"
)


def park(body: bytes = BODY, reason: str = REFUSED, **more: Any) -> ParkedPayload:
    given = {"content_type": "application/json", "driver": "", "trace_id": "trace-1", **more}
    parked.park(unread=Unread(body=body, reason=reason, **given), now=clock.now() - timedelta(hours=2))
    return ParkedPayload.objects.latest("pk")


def replay(browser: Client, row: ParkedPayload, how: str = "found") -> Page:
    answer = browser.post(f"/sources/parked/{row.pk}/replay/", {"how": how}, follow=True)
    assert answer.status_code == 200
    return read(answer)


def test_nothing_is_parked(alice: Client) -> None:
    assert "Everything that was posted could be read." in open_page(alice, "/sources/parked/").text
    assert "parked payload" not in "".join(open_page(alice, "/").attributes("title"))


def test_newest_first(alice: Client) -> None:
    old, new = park(), park(b"x" * 3_000, "host: expected a text", driver="zabbix")
    page = open_page(alice, "/sources/parked/")
    text = page.text
    assert text.index(f"#{new.pk}") < text.index(f"#{old.pk}")
    for told in ("zabbix", "host: expected a text", "2.9\xa0KB", "2 h ago", "no driver named"):
        assert told in text, told
    assert "no driver reads this payload" in text and "Tried" not in text and "post something" not in text
    assert f"/sources/parked/{old.pk}/" in page.attributes("href")
    assert "2 parked payloads" in open_page(alice, "/").attributes("title"), "counted in the navigation"


def test_the_list_costs_no_more_with_many(alice: Client) -> None:
    park()
    with counted() as few:
        open_page(alice, "/sources/parked/")
    for _ in range(MOST):
        park()
    with counted() as many:
        page = open_page(alice, "/sources/parked/")
    assert len(many) == len(few) <= 5, many
    assert page.text.count("no driver named") == MOST
    assert not [statement for statement in many if '"body"' in statement], "bodies are large"


def test_one_in_full(alice: Client) -> None:
    row = park()
    page = open_page(alice, f"/sources/parked/{row.pk}/")
    assert '{\n  "events": [\n' in page.text, "indented"
    for told in (
        "trace-1",
        "application/json",
        "post something else.",
        "a; b",
        "event_name: expected a text",
    ):
        assert told in page.text, told
    assert "Tried" not in page.text
    links = page.attributes("href")
    assert {f"/sources/try/?parked={row.pk}", f"/sources/add/?parked={row.pk}"} <= set(links)


def test_what_the_door_parks_is_told_driver_by_driver(transactional_db: None, alice: Client) -> None:
    with doorway() as door:
        door.post(BODY, ANY)
    row = ParkedPayload.objects.get()
    page = open_page(alice, f"/sources/parked/{row.pk}/")
    told = [line.strip() for line in page.text.splitlines()]
    for name in drivers.names():
        assert any(line.startswith(name) for line in told), f"{name}, or its reason was cut"


def test_of_a_long_one_the_beginning_is_shown(alice: Client) -> None:
    row = park(b"x" * (LONGEST + 1))
    page = open_page(alice, f"/sources/parked/{row.pk}/")
    assert "Only the first 256.0\xa0KB were kept" in page.text
    assert f"/sources/parked/{row.pk}/replay/" not in page.attributes("action")
    assert "have it sent again" in replay(alice, row).text


@pytest.mark.parametrize(
    "body", [b"", b"\xff\xfe\0", b"[" * 5_000, b"a=b", b"<a/>", "\u202e\u2066x".encode()]
)
def test_whatever_was_sent_is_shown(body: bytes, alice: Client) -> None:
    row = park(body)
    page = open_page(alice, f"/sources/parked/{row.pk}/")
    assert "\u202e" not in page.text, "what turns words around is spelled"
    open_page(alice, f"/sources/try/?parked={row.pk}")


def test_tried_with_it_filled_in(alice: Client) -> None:
    row = park()
    assert BODY.decode() in open_page(alice, f"/sources/try/?parked={row.pk}").text


def test_replayed_by_the_driver_found_now(alice: Client, transactional_db: None) -> None:
    row = park(b'[{"name": "DiskFull"}, {}]')
    page = replay(alice, row)
    assert f"Took in 1 alert of payload #{row.pk}, read by generic." in page.text
    assert "alerts[1]: it needs a name" in page.text
    assert (Alert.objects.get().name, AlertHistory.objects.get().trace_id) == ("DiskFull", "trace-1")
    assert not ParkedPayload.objects.exists()


def test_replayed_by_a_named_driver(alice: Client, transactional_db: None) -> None:
    row = park(b'{"name": "DiskFull"}')
    assert "read by generic." in replay(alice, row, "driver generic").text


def test_replayed_as_if_a_source_had_sent_it(alice: Client, transactional_db: None) -> None:
    mapping = {"alerts": "events", "name": "title"}
    sources.create_source(name="plant", labels={"site": "north"}, now=clock.now(), mapping=mapping)
    sources.create_source(name="gone", labels={}, now=clock.now())
    sources.revoke_source(name="gone")
    row, key = park(), Source.objects.get(name="plant").pk
    page = open_page(alice, f"/sources/parked/{row.pk}/")
    offered = [a["value"] for tag, a in page.elements if tag == "option" and a["value"].startswith("source")]
    assert offered == [f"source {key}"]
    assert "read by mapping." in replay(alice, row, f"source {key}").text
    assert Alert.objects.get().labels == {"alertname": "Pump stopped", "site": "north", "source": "plant"}


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("found", "no driver reads this payload"),
        ("driver alertmanager", "alerts"),
        ("driver nonsense", "There is no such driver or source any more"),
        ("source 4711", "There is no such driver or source any more"),
        (NASTY, "There is no such driver or source any more"),
        ("", "There is no such driver or source any more"),
    ],
)
def test_one_that_still_cannot_be_read_stays(how: str, said: str, alice: Client) -> None:
    row = park()
    page = replay(alice, row, how)
    assert said in page.text
    assert page.can_run() == []
    assert ParkedPayload.objects.get() == row
    assert not Alert.objects.exists()


def test_forgotten(alice: Client) -> None:
    row = park()
    page = read(alice.post(f"/sources/parked/{row.pk}/forget/", follow=True))
    assert f"Payload #{row.pk} is forgotten." in page.text
    assert not ParkedPayload.objects.exists()
    assert alice.get(f"/sources/parked/{row.pk}/").status_code == 404
    assert alice.post(f"/sources/parked/{row.pk}/replay/", {"how": "found"}).status_code == 404


@pytest.mark.parametrize("nasty", [NASTY, '"><svg onload=alert(1)>', "javascript:alert(1)", "{{ 7*7 }}"])
def test_their_text_is_text(nasty: str, alice: Client) -> None:
    row = park(json.dumps({nasty: nasty}).encode(), nasty, driver=nasty, content_type=nasty, trace_id=nasty)
    for path in ("/sources/parked/", f"/sources/parked/{row.pk}/", f"/sources/try/?parked={row.pk}",
                 f"/sources/add/?parked={row.pk}"):  # fmt: skip
        page = open_page(alice, path)
        assert page.can_run() == [], path
        assert nasty in page.text or json.dumps(nasty)[1:-1] in page.text or path.startswith("/sources/add")
