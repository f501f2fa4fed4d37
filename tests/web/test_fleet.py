"""The fleet as people see it: devices by state, one machine in full, and how another one joins."""

import re
from datetime import datetime, timedelta
from typing import Any, Final

import pytest
from django.test import Client

from tests.statements import counted
from tests.web.markup import Page, open_page, read
from tests.world import World
from tocsin.alerts.events import Beat, CheckTold, FeedEvent, Push
from tocsin.alerts.intake.beside import Told
from tocsin.alerts.models import Incident
from tocsin.core import clock
from tocsin.fleet import commands, enrolment, feed, heartbeats, instances
from tocsin.fleet.models import Command, Enrolment, Instance
from tocsin.fleet.watch import watch, watch_instances
from tocsin.web.views import fleet

NASTY: Final = (
    "<script>window.hacked=1</script>",
    '"><svg onload=alert(1)>',
    "' onmouseover='x",
    "{{ 7*7 }}",
)


def push(name: str = "web-1", minutes_ago: float = 0, **told: Any) -> None:
    at = clock.now() - timedelta(minutes=minutes_ago)
    checks = told.pop("checks", None) or (CheckTold("cpu", told.pop("status", "ok"), "busy", {}, at, 0),)
    given = Push(**{"instance_id": name, "interval": 60, "sent_at": at, "checks": checks, **told})
    instances.take([given], Told("cluster", "", "trace", at, True, "192.0.2.7"))
    watch_instances(clock.now())


def check(name: str, status: str = "ok", at: datetime | None = None, **metrics: float) -> CheckTold:
    return CheckTold(name, status, f"{name} is {status}", metrics, at or clock.now(), 0)


def enrolled(name: str) -> Instance:
    token = enrolment.offer(now=clock.now())
    enrolment.enrol(token=token, instance_id=name, hostname="", version="", now=clock.now())
    return instances.named(name)


def page_of(name: str) -> str:
    return f"/fleet/{instances.named(name).pk}/"


def can_run(page: Page) -> list[object]:
    """All that would run, but for our own curves."""
    return [found for found in page.can_run() if not _is_curve(found)]


def _is_curve(found: Any) -> bool:
    tag, attributes = found
    known = {"class", "viewbox", "width", "height", "role", "aria-label"}
    return bool(tag == "svg" and attributes.get("class") == "spark" and attributes.keys() == known)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLUSTER_ENABLED", "1")


def test_nothing_yet(alice: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    page = open_page(alice, "/fleet/")
    assert "Nothing is known of yet" in page.text and "CLUSTER_ENABLED=1" in page.text
    assert "/fleet/add/" in page.attributes("href")
    assert "/fleet/" in open_page(alice, "/").attributes("href")
    monkeypatch.setenv("CLUSTER_ENABLED", "1")
    assert "CLUSTER_ENABLED" not in open_page(alice, "/fleet/").text


def test_modules_and_states(alice: Client, world: World) -> None:
    push("web-1")
    push("web-2", status="critical")
    push("web-3", minutes_ago=30)
    heartbeats.create(name="backup", now=clock.now())
    heartbeats.take([Beat(name="backup", signal="failure")], Told("api", "", "t", clock.now(), True))
    watch(clock.now())
    world.post({"name": "amp offline", "labels": {"module": "audio", "device": "amp"}})
    world.work()
    page = open_page(alice, "/fleet/")
    told = " ".join(page.text.split())
    assert "agents 2 of 3 online critical 1 web-2" in told
    assert "audio 0 of 1 online silent 1 amp" in told
    places = [told.index(name) for name in ("web-2", "web-3", "web-1", "backup", " amp")]
    assert places == sorted(places)
    links = page.attributes("href")
    assert {page_of("web-1"), f"/heartbeats/{heartbeats.named('backup').pk}/"} <= set(links)
    assert f"/incidents/{Incident.objects.get(title__startswith='amp').pk}/" in links
    assert re.search(r"web-3\s*30 min", told)


def test_narrowed_by_state_and_text(alice: Client, db: None) -> None:
    push("web-1", hostname="ip-10-0-0-1")
    push("web-2", status="warning")
    push("db-1")
    for query, shown in (
        ("state=ok", {"web-1", "db-1"}), ("state=warning", {"web-2"}), ("q=WEB", {"web-1", "web-2"}),
        ("q=10-0-0", {"web-1"}), ("q=web&state=ok", {"web-1"}),
        ("state=nonsense", {"web-1", "web-2", "db-1"}), ("q=%00", {"web-1", "web-2", "db-1"}),
    ):  # fmt: skip
        text = open_page(alice, f"/fleet/?{query}").text
        assert {name for name in ("web-1", "web-2", "db-1") if name in text} == shown, query
    assert "Nothing matches" in open_page(alice, "/fleet/?q=nobody").text
    links = open_page(alice, "/fleet/?q=web").attributes("href")
    assert "?state=warning&q=web" in links


def test_many_cost_no_more_queries_and_little_html(alice: Client, db: None) -> None:
    def grow(count: int, prefix: str) -> tuple[int, int]:
        now = clock.now()
        Instance.objects.bulk_create(
            Instance(instance_id=f"{prefix}-{n:05}", address="x", first_seen_at=now, last_seen_at=now)
            for n in range(count)
        )
        with counted() as asked:
            answer = alice.get("/fleet/")
        return len(asked), len(answer.content)

    few, small = grow(1, "few")
    many, large = grow(2_000, "many")
    assert many == few <= 14
    assert (large - small) / 2_000 < 80, "bytes a device"


def test_very_many_are_not_all_shown(alice: Client, db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet, "SHOWN", 2)
    for number in range(3):
        push(f"web-{number}")
    page = open_page(alice, "/fleet/")
    assert "1 more. Look for one" in page.text and "web-2" not in page.text
    assert "3 of 3 online" in page.text


def test_one_with_all_that_is_known(alice: Client, world: World) -> None:
    now = clock.now()
    for minute in range(60, 0, -10):
        at = now - timedelta(minutes=minute)
        push(checks=(check("disk", at=at, used_percent=float(minute)),), sent_at=at, minutes_ago=minute)
    push(
        hostname="web-1.example", version="0.1.0", waiting=4, dropped={"steady": 2, "items": 1},
        sent_at=now - timedelta(minutes=5),
        checks=(check("disk", "warning", used_percent=90.5), check("load", "critical", load=7)),
    )  # fmt: skip
    world.post({"name": "DiskFull", "labels": {"instance": "web-1.example"}, "severity": "critical"})
    world.work()
    feed.record([FeedEvent("deploy", "v2 is out", source="web-1")], Told("api", "", "t", now, True))
    page = open_page(alice, page_of("web-1"))
    told = " ".join(page.text.split())
    for shown in (
        "web-1.example", "0.1.0", "192.0.2.7", "1 min", "2 steady, 1 items", "5 min behind",
        "none of its own", "disk is warning", "used_percent 90.5", "load 7", "DiskFull", "v2 is out",
    ):  # fmt: skip
        assert shown in told, shown
    assert told.index("load is critical") < told.index("disk is warning")
    curves = [a for tag, a in page.elements if tag == "svg"]
    assert [curve["aria-label"] for curve in curves] == ["used_percent: 10 to 90.5, now 90.5"]
    incident = Incident.objects.get(title__startswith="DiskFull")
    assert {f"/incidents/{incident.pk}/", "/events/?source=web-1"} <= set(page.attributes("href"))
    assert can_run(page) == []


def test_one_that_only_enrolled(alice: Client, db: None) -> None:
    told = open_page(alice, f"/fleet/{enrolled('fresh').pk}/").text
    for shown in (
        "unknown",
        "has not told of any check yet",
        "No alert fires",
        "None has come",
        "tocsin_agent_",
    ):
        assert shown in told


@pytest.mark.parametrize("nasty", NASTY)
def test_their_text_is_text(nasty: str, alice: Client, world: World) -> None:
    now = clock.now()
    checks = tuple(CheckTold(nasty, "ok", nasty, {nasty: n}, now - timedelta(hours=1 - n), n) for n in (0, 1))
    push(nasty, hostname=nasty, version=nasty[:60], checks=checks, dropped={nasty: 1})
    push(nasty, checks=(CheckTold(nasty, "critical", nasty, {nasty: 7}, now, 3),))
    feed.record([FeedEvent(nasty, nasty, source=nasty)], Told("api", "", "t", now, True))
    world.post({"name": nasty, "labels": {"module": nasty, "instance": nasty}})
    world.work()
    mine = page_of(nasty)
    for path in ("/fleet/", mine, f"{mine}remove/"):
        page = open_page(alice, path)
        assert can_run(page) == [], path
        assert nasty in page.text, path


def test_its_key_is_revoked_by_one_click(alice: Client, db: None) -> None:
    path = f"/fleet/{enrolled('web-1').pk}/"
    assert "Revoke key" in open_page(alice, path).text
    page = read(alice.post(f"{path}revoke/", follow=True))
    assert "The key of web-1 is revoked" in page.text and "Revoke key" not in page.text
    assert Instance.objects.get().key_revoked_at is not None
    assert "has no key in force" in read(alice.post(f"{path}revoke/", follow=True)).text
    assert alice.get(f"{path}revoke/").status_code == 405


def test_removed_once_it_was_asked(alice: Client, world: World) -> None:
    push()
    path = page_of("web-1")
    assert "Remove web-1?" in open_page(alice, f"{path}remove/").text
    assert Instance.objects.exists()
    assert "Instance web-1 removed" in read(alice.post(f"{path}remove/", follow=True)).text
    assert not Instance.objects.exists()
    assert alice.get(path).status_code == 404


@pytest.mark.parametrize("end", ["", "remove/", "revoke/"])
def test_no_such_instance(end: str, alice: Client) -> None:
    call = alice.post if end == "revoke/" else alice.get
    assert call(f"/fleet/4711/{end}").status_code == 404


def test_a_token_is_shown_once_and_kept_by_nobody(alice: Client, hub: None) -> None:
    answer = alice.post("/fleet/add/", {"uses": "3"})
    assert answer.status_code == 302 and not answer.content
    answer = alice.get("/fleet/add/")
    assert "no-store" in answer.headers["Cache-Control"]
    line = re.search(r"tocsin enroll --hub (\S+) --token (\S+)", read(answer).text)
    assert line is not None and line[1].startswith("http://127.0.0.1:")
    offered = Enrolment.objects.get()
    assert (offered.uses_left, offered.made_by) == (3, "alice")
    assert timedelta(minutes=59) < offered.expires_at - clock.now() <= timedelta(hours=1)
    made = enrolment.enrol(token=line[2], instance_id="x", hostname="", version="", now=clock.now())
    assert made.startswith("tocsin_agent_")
    assert "tocsin enroll --hub" not in open_page(alice, "/fleet/add/").text


@pytest.mark.parametrize("uses", ["0", "10001", "x", ""])
def test_a_token_for_a_number_that_is_none(uses: str, alice: Client, hub: None) -> None:
    page = read(alice.post("/fleet/add/", {"uses": uses}))
    assert [a["name"] for _, a in page.elements if "aria-invalid" in a] == ["uses"]
    assert not Enrolment.objects.exists()


def test_what_is_no_hub_says_how_to_become_one(alice: Client) -> None:
    page = open_page(alice, "/fleet/add/")
    assert "CLUSTER_ENABLED=1" in page.text and "Make a token" not in page.text
    read(alice.post("/fleet/add/", {"uses": "1"}))
    assert not Enrolment.objects.exists()


def test_a_hub_that_nobody_reaches_says_so(alice: Client, hub: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "TOCSIN_PUBLIC_URL" in open_page(alice, "/fleet/add/").text
    monkeypatch.setenv("TOCSIN_PUBLIC_URL", "https://tocsin.example.com")
    assert "TOCSIN_PUBLIC_URL" not in open_page(alice, "/fleet/add/").text


def test_signed_out(client: Client, db: None) -> None:
    for path in ("/fleet/", "/fleet/add/", "/fleet/1/", "/fleet/1/remove/"):
        assert client.get(path).status_code == 302


# Links to the log, beside trace ids.


def test_links_to_the_log(alice: Client, world: World, settings: Any) -> None:
    world.post({"name": "DiskFull", "labels": {"instance": "web-1"}})
    world.work()
    incident = Incident.objects.get()
    told = Told("api", "", "its-trace", clock.now(), True)
    feed.record([FeedEvent("a", "", correlation_id="its id"), FeedEvent("b", "")], told)
    links = open_page(alice, f"/incidents/{incident.pk}/").attributes("href")
    assert f"/api/logs?correlation_id={incident.trace_id}" in links
    links = open_page(alice, "/events/").attributes("href")
    assert {"/api/logs?correlation_id=its+id", "/api/logs?correlation_id=its-trace"} <= set(links)
    settings.LOG_LINK = "https://grafana/explore?q={trace_id}"
    links = open_page(alice, f"/incidents/{incident.pk}/").attributes("href")
    assert f"https://grafana/explore?q={incident.trace_id}" in links
    assert "https://grafana/explore?q=its%20id" in open_page(alice, "/events/").attributes("href")


def test_messages_have_the_link(world: World, settings: Any) -> None:
    world.channel()
    world.fire()
    world.work()
    trace = Incident.objects.get().trace_id
    assert world.sent[0]["logs"] == f"{settings.PUBLIC_URL}/api/logs?correlation_id={trace}"
    settings.LOG_LINK = "https://grafana/explore?q={trace_id}&from={start}&to={end}"
    world.resolve()
    world.work()
    assert re.fullmatch(r"https://grafana/explore\?q=\S+&from=\d{13}&to=\d{13}", world.sent[1]["logs"])


def test_commands_that_a_machine_allows_and_ran(alice: Client, world: World) -> None:
    nasty = NASTY[0]
    found = enrolled("web-1")
    assert "Commands" not in open_page(alice, page_of("web-1")).text
    offer = commands.Offer("restart", f"Restart {nasty}", {"unit": "nginx|php"})
    commands.listen(found, [offer], clock.now())
    page = open_page(alice, page_of("web-1"))
    assert "unit=nginx|php" in page.text and "It was asked for none yet." in page.text
    told = {"run_id": "r1", "node": "do", "trace_id": "t", "expires_at": clock.now()}
    commands.ask([commands.Order(found, "restart", {"unit": nasty}, **told)], clock.now())
    ended = commands.Ended(Command.objects.get().pk, "done", 3, f"said {nasty}", f"why {nasty}", 1.5)
    commands.end(Command.objects.get(), ended, clock.now())
    page = open_page(alice, page_of("web-1"))
    assert f"unit={nasty}" in page.text and f"said {nasty}" in page.text and f"why {nasty}" in page.text
    assert "exit code 3, 1.5 s" in page.text
    assert "/runs/r1/" in page.attributes("href")
    assert not can_run(page)
