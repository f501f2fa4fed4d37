"""Sources as people see, make and revoke them, and what they copy into their tools."""

import logging
import re
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from django.contrib.sessions.models import Session
from django.test import Client

from tests.asgi import Request
from tests.doorway import Doorway, doorway
from tests.statements import counted
from tests.web.markup import Page, open_page, read
from tocsin.alerts import parked, sources
from tocsin.alerts.models import Alert, AlertHistory, ParkedPayload, Source
from tocsin.alerts.parked import Unread
from tocsin.core import clock
from tocsin.web import connecting, once

NASTY = "<script>window.hacked=1</script>"
TOKEN = re.compile(r"\b[0-9a-f]{32}\b")
GIVEN = {"name": "plant", "labels": "", "group_by": "", "budget": "", "mapping": ""}
MAPPING = '{"alerts": "events", "name": "title", "labels": {"instance": "unit"}}'
BODY = b'{"events": [{"title": "Pump stopped", "unit": "P-7"}]}'


def fill_in(browser: Client, path: str = "/sources/add/", **given: str) -> Page:
    """Send the form; the page that follows."""
    answer = browser.post(path, GIVEN | given, follow=True)
    assert answer.status_code == 200
    page = read(answer)
    assert page.can_run() == []
    return page


def made(name: str = "plant", **given: Any) -> str:
    return sources.create_source(name=name, labels=given.pop("labels", {}), now=clock.now(), **given)


def token_on(page: Page) -> str:
    found = set(TOKEN.findall(page.text))
    assert len(found) == 1
    return found.pop()


def park(body: bytes = BODY) -> ParkedPayload:
    parked.park(unread=Unread(body, "application/json", "", "why", "trace-1"), now=clock.now())
    return ParkedPayload.objects.latest("pk")


def test_none_yet(alice: Client) -> None:
    page = open_page(alice, "/sources/")
    assert "No source yet" in page.text
    assert {"/sources/add/", "/sources/try/", "/sources/parked/"} <= set(page.attributes("href"))


def test_made_with_all_that_can_be_given(alice: Client) -> None:
    given = {"labels": "team=db\r\n\r\nsite = eu=1\r\n", "group_by": "site, alertname site", "budget": "0"}
    page = fill_in(alice, **given, mapping=MAPPING)
    row = Source.objects.get()
    assert (row.name, row.labels, row.group_by) == (
        "plant", {"team": "db", "site": "eu=1"}, ["site", "alertname"]
    )  # fmt: skip
    assert (row.budget, row.mapping["alerts"]) == (0, "events")
    assert sources.knows(token_on(page))


@pytest.mark.parametrize(
    ("changed", "at", "said"),
    [
        ({"name": ""}, "name", "This field is required."),
        ({"name": "with space"}, "name", "Use letters, digits, dots, - and _ only."),
        ({"name": NASTY}, "name", "Use letters, digits, dots, - and _ only."),
        ({"name": "x" * 65}, "name", "at most 64 characters"),
        ({"name": "taken"}, "name", "there is, or was, a source named 'taken'"),
        ({"labels": "team=db\nteam"}, "labels", "Line 2 is no label: write it as name=value."),
        ({"labels": "bad-name=x"}, "labels", "Line 1: the label bad-name="),
        ({"labels": f"{NASTY}=x"}, "labels", "the label <script>window.hacked='1</script>=x'"),
        ({"labels": "team="}, "labels", "give it as name=value"),
        ({"labels": "a=" + "x" * 1_001}, "labels", "cannot be used"),
        ({"group_by": "x" * 300}, "group_by", "is no label to group by"),
        ({"group_by": " ".join(f"l{n}" for n in range(21))}, "group_by", "20 labels at most"),
        ({"budget": "many"}, "budget", "Enter a whole number."),
        ({"budget": "-1"}, "budget", "greater than or equal to 0"),
        ({"budget": "1000001"}, "budget", "less than or equal to 1000000"),
        ({"mapping": "{"}, "mapping", "This is not JSON: "),
        ({"mapping": '{\n"name": }'}, "mapping", "at line 2, column 9."),
        ({"mapping": "[]"}, "mapping", "A mapping is an object"),
        ({"mapping": '{"alerts": "a"}'}, "mapping", "name: it is missing, and a mapping needs it"),
        ({"mapping": '{"name": "a["}'}, "mapping", "name: not a JMESPath expression"),
        ({"mapping": '{"name": "a", "colour": "b"}'}, "mapping", "colour: there is no such field"),
        ({"mapping": '{"name": 1}'}, "mapping", "name: give a JMESPath expression, in quotes"),
        ({"mapping": '{"name": "a", "labels": 1}'}, "mapping", "labels: give an object"),
        ({"mapping": '{"name": "a", "severities": {"1": "awful"}}'}, "mapping", "'awful' is no severity"),
        ({"mapping": "[" * 100_000}, "mapping", "This is nested too deeply."),
    ],
)
def test_what_is_wrong_is_said_at_its_field(
    changed: dict[str, str], at: str, said: str, alice: Client
) -> None:
    made("taken")
    page = fill_in(alice, **changed)
    assert said in page.text
    assert {a["name"] for _, a in page.elements if "aria-invalid" in a} == {at}
    assert Source.objects.count() == 1


def test_the_token_is_shown_once(alice: Client) -> None:
    answer = alice.post("/sources/add/", GIVEN)
    path = answer.headers["Location"]
    assert path == f"/sources/{Source.objects.get().pk}/"
    kept = "".join(session.session_data + str(session.get_decoded()) for session in Session.objects.all())
    assert alice.head(path).status_code == 200
    shown = alice.get(path)
    token = token_on(read(shown))
    assert sources.knows(token)
    assert token not in kept, "not even while it waits for the page that shows it"
    assert "no-store" in shown.headers["Cache-Control"]
    again = read(alice.get(path))
    assert not TOKEN.search(again.text)
    assert "Its token was shown once" in again.text
    assert connecting.PLACEHOLDER in again.text
    assert not any("once" in key for session in Session.objects.all() for key in session.get_decoded())


def test_a_token_that_nobody_came_for_is_gone(alice: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(once, "KEPT_FOR", timedelta(seconds=-1))
    answer = alice.post("/sources/add/", GIVEN)
    page = open_page(alice, answer.headers["Location"])
    assert not TOKEN.search(page.text)
    assert "Its token was shown once" in page.text


def test_the_token_is_nowhere_else(alice: Client, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        answer = alice.post("/sources/add/", GIVEN)
        page = open_page(alice, answer.headers["Location"])
    token = token_on(page)
    assert token not in caplog.text
    assert token not in answer.headers["Location"] and token not in "".join(page.attributes("href"))
    assert token not in "".join(page.attributes("action") + page.attributes("value"))
    row = Source.objects.get()
    for path in ("/sources/", f"/sources/{row.pk}/", f"/sources/{row.pk}/revoke/", "/admin/alerts/source/"):
        assert token not in alice.get(path).content.decode(), path
    other = Client()
    other.force_login(alice.get("/").wsgi_request.user)
    assert token not in other.get(f"/sources/{row.pk}/").content.decode()


def test_one_that_was_not_made_here_shows_no_token(alice: Client) -> None:
    token = made()
    assert token not in open_page(alice, f"/sources/{Source.objects.get().pk}/").text


def test_every_way_in_can_be_copied(alice: Client) -> None:
    page = fill_in(alice)
    buttons = [a for tag, a in page.elements if "data-copy" in a]
    assert len(buttons) == 11
    assert {button["data-copy"] for button in buttons} <= set(page.attributes("id"))
    assert all("hidden" in button for button in buttons), "they need the script, which shows them"


@pytest.mark.parametrize("mapped", [False, True])
def test_what_is_copied_works_at_a_closed_door(mapped: bool, transactional_db: None) -> None:
    token = made(mapping=msgspec.json.decode(MAPPING) if mapped else None)
    with doorway(open_door=False) as door:
        groups = connecting.groups(Source.objects.get(), token, "https://tocsin.example:8420")
        said = {snippet.title: snippet.text for group in groups for snippet in group.snippets}
        assert _posted(door, said["Fire a test alert"]) == 202
        alert = Alert.objects.get()
        assert (alert.name, alert.status, alert.labels["source"]) == ("Test of plant", "firing", "plant")
        assert _posted(door, said["End it"]) == 202
        alert.refresh_from_db()
        assert alert.status == "resolved"
        paths = [_path(said[title]) for title in ("Its own URL", "Grafana OnCall")]
        assert paths == [f"/alerts/source/{token}/", f"/integrations/v1/webhook/{token}/"]
        body = msgspec.json.decode(BODY) if mapped else {"name": "x"}
        assert door.post(body, paths[0]).status == 202
        assert door.post({"name": "y"}, paths[1]).status == 200
        bearer = {"Authorization": f"Bearer {token}"}
        assert f"Authorization: Bearer {token}" in said["The webhook, with a header"]
        assert door.post({"name": "z"}, _path(said["The webhook, with a header"]), bearer).status == 202
        event = {"summary": "s", "source": "h", "severity": "info"}
        given = {"routing_key": token, "event_action": "trigger", "payload": event}
        assert door.post(given, _path(said["PagerDuty, Events API"])).status == 202
        genie = {"Authorization": f"GenieKey {token}"}
        assert door.post({"message": "m"}, _path(said["Opsgenie, Alert API"]), genie).status == 202
        push = said["Uptime Kuma, push"].removeprefix("https://tocsin.example:8420")
        assert door.door.matches(Request(push, [b""], method="GET").scope())
    assert set(AlertHistory.objects.values_list("actor", flat=True)) == {"plant"}


def _path(text: str) -> str:
    return text.splitlines()[0].removeprefix("https://tocsin.example:8420")


def _posted(door: Doorway, curl: str) -> int:
    """Do what the line would do."""
    headers = dict(header.split(": ") for header in re.findall(r"-H '([^']+)'", curl))
    body = re.findall(r"-d '([^']+)'", curl)[0].encode()
    return door.post(body, curl.split()[-1].removeprefix("https://tocsin.example:8420"), headers).status


@pytest.mark.parametrize(
    ("base", "lines"),
    [
        ("https://t.example", ["scheme: https", '- targets: ["t.example:443"]']),
        ("http://t.example", ["scheme: http", '- targets: ["t.example:80"]']),
        ("http://[::1]:8420", ["scheme: http", '- targets: ["[::1]:8420"]']),
        ("https://t.example/on-call", ["path_prefix: /on-call", '- targets: ["t.example:443"]']),
    ],
)
def test_prometheus_is_told_where_and_how(base: str, lines: list[str], db: None) -> None:
    token = made()
    groups = connecting.groups(Source.objects.get(), token, base)
    said = {snippet.title: snippet.text for group in groups for snippet in group.snippets}
    for line in [*lines, f"credentials: {token}"]:
        assert line in said["prometheus.yml"]
    assert ("path_prefix" in said["prometheus.yml"]) == base.endswith("/on-call")
    assert f"url: {base}/alerts/webhook/alertmanager/" in said["alertmanager.yml"]


def test_the_list_says_what_is_known(alice: Client) -> None:
    made("one", labels={"team": "db"}, group_by=["site", "job"], budget=1)
    made("two", mapping={"name": "title"})
    token = made("zero", budget=0)
    sources.revoke_source(name="two")
    text = open_page(alice, "/sources/").text
    assert "team=db" in text
    assert "grouped by site, job, 1 incident a minute." in text
    assert "any number of incidents." in text
    assert "Read by a mapping." in text
    assert token[:6] in text and token not in text
    parts = [text.index(part) for part in ("one", "zero", "two", "revoked")]
    assert parts == sorted(parts)


def test_the_list_costs_no_more_with_more(alice: Client) -> None:
    made()
    with counted() as few:
        open_page(alice, "/sources/")
    for number in range(20):
        made(f"plant-{number}", labels={"n": str(number)})
    with counted() as many:
        open_page(alice, "/sources/")
    assert len(many) == len(few) <= 6, many


def test_revoked_after_one_question(alice: Client) -> None:
    token = made()
    path = f"/sources/{Source.objects.get().pk}/"
    assert "Revoke plant?" in open_page(alice, f"{path}revoke/").text
    assert sources.knows(token)
    page = read(alice.post(f"{path}revoke/", follow=True))
    assert "Source plant revoked" in page.text
    assert not sources.knows(token)
    assert "revoked" in open_page(alice, path).text
    assert f"{path}revoke/" not in open_page(alice, "/sources/").attributes("href")
    assert "there is no source named" in read(alice.post(f"{path}revoke/", follow=True)).text


def test_from_a_parked_payload(alice: Client, transactional_db: None) -> None:
    row = park()
    begun = open_page(alice, f"/sources/add/?parked={row.pk}")
    assert '"alerts": "events"' in begun.text
    page = fill_in(alice, f"/sources/add/?parked={row.pk}", mapping=MAPPING, labels="site=north")
    assert f"Payload #{row.pk} still waits" in page.text
    [how] = [a["value"] for _, a in page.elements if a.get("name") == "how"]
    done = read(alice.post(f"/sources/parked/{row.pk}/replay/", {"how": how}, follow=True))
    assert f"Took in 1 alert of payload #{row.pk}, read by mapping." in done.text
    alert = Alert.objects.get()
    assert alert.labels == {
        "alertname": "Pump stopped", "instance": "P-7", "site": "north", "source": "plant"
    }  # fmt: skip
    assert AlertHistory.objects.get().actor == "plant"
    assert not ParkedPayload.objects.exists()


@pytest.mark.parametrize("query", ["", "0", "4711", "x", "9" * 30, "%00"])
def test_of_what_is_not_there(query: str, alice: Client) -> None:
    open_page(alice, f"/sources/add/?parked={query}")
    made()
    path = f"/sources/{Source.objects.get().pk}/"
    assert "still waits" not in open_page(alice, f"{path}?parked={query}").text


def test_a_payload_that_gives_no_mapping(alice: Client) -> None:
    for body in (b"{", b"null", b"\xff"):
        row = park(body)
        assert "New source" in open_page(alice, f"/sources/add/?parked={row.pk}").text


@pytest.mark.parametrize("path", ["/sources/4711/", "/sources/4711/revoke/"])
def test_no_such_source(path: str, alice: Client) -> None:
    assert alice.get(path).status_code == 404


@pytest.mark.parametrize("nasty", [NASTY, '"><svg onload=alert(1)>', "' onmouseover='alert(1)", "{{ 7*7 }}"])
def test_their_text_is_text(nasty: str, alice: Client) -> None:
    labels = {"team": nasty, "items": nasty}
    made(labels=labels, group_by=[nasty], mapping={"name": "a", "statuses": {nasty: "resolved"}})
    row = Source.objects.get()
    for path in ("/sources/", f"/sources/{row.pk}/", f"/sources/try/?source={row.pk}"):
        page = open_page(alice, path)
        assert page.can_run() == [], path
        assert nasty in page.text or nasty.replace('"', '\\"') in page.text, path
    page = fill_in(alice, name=nasty, labels=nasty, group_by=nasty, mapping=nasty)
    assert nasty in page.text
