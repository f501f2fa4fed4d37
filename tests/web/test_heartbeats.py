"""Heartbeats as people see, make, change, pause and remove them."""

from datetime import timedelta
from typing import Any, Final

import pytest
from django.test import Client

from tests.statements import counted
from tests.web.markup import Page, open_page, read
from tests.world import World
from tocsin.alerts.events import Beat
from tocsin.alerts.intake.beside import Told
from tocsin.core import clock
from tocsin.fleet import heartbeats as services
from tocsin.fleet.models import Heartbeat
from tocsin.fleet.schedule import Schedule
from tocsin.fleet.watch import watch
from tocsin.web.views import heartbeats

NASTY: Final = "<script>window.hacked=1</script>"
UUID: Final = "5bf66975-d4c7-4bf5-bcc8-b8d8a82ea278"
GIVEN: Final = {"name": "nightly-backup", "period": "1h", "grace": "5m", "timezone": "UTC"}


def fill_in(browser: Client, path: str = "/heartbeats/add/", **given: str) -> Page:
    """Send the form; the page that follows."""
    answer = browser.post(path, GIVEN | given, follow=True)
    assert answer.status_code == 200
    page = read(answer)
    assert page.can_run() == []
    return page


def made() -> Heartbeat:
    return Heartbeat.objects.get()


def heartbeat(name: str = "nightly-backup", **schedule: Any) -> Heartbeat:
    return services.create(name=name, schedule=Schedule(**schedule), now=clock.now())


def ping(name: str = "nightly-backup", minutes_ago: float = 0, **beat: Any) -> None:
    at = clock.now() - timedelta(minutes=minutes_ago)
    services.take([Beat(name=name, **beat)], Told("healthchecks", "", "trace", at, True))
    watch(clock.now())


def test_none_yet(alice: Client) -> None:
    page = open_page(alice, "/heartbeats/")
    assert "No heartbeat yet" in page.text
    assert "/heartbeats/add/" in page.attributes("href")
    assert "/heartbeats/" in open_page(alice, "/").attributes("href")


def test_made_with_a_period(alice: Client) -> None:
    page = fill_in(alice, labels="team=db\r\n\r\n severity = warning")
    assert "Heartbeat nightly-backup added" in page.text
    assert services.ping_url(made()) in page.text
    assert (made().period, made().grace, made().cron) == (3_600, 300, "")
    assert made().labels == {"team": "db", "severity": "warning"}


def test_made_with_a_cron_line_and_an_old_url(alice: Client) -> None:
    page = fill_in(alice, period="", cron="10 3 * * *", timezone="Europe/Berlin", token=UUID.upper())
    assert "At 03:10 every day, Europe/Berlin" in page.text
    assert f"/ping/{UUID}" in page.text
    assert made().token == UUID


def test_made_without_a_schedule(alice: Client) -> None:
    assert "no schedule" in fill_in(alice, period="", timezone="").text
    assert not made().schedule


@pytest.mark.parametrize(
    ("changed", "at", "said"),
    [
        ({"name": ""}, "name", "This field is required."),
        ({"name": "x" * 101}, "name", "at most 100 characters"),
        ({"name": "taken"}, "name", "there is a heartbeat named 'taken'"),
        ({"period": "soon"}, "period", "Write it as 90s, 5m, 1h30m or 2d."),
        ({"period": "0"}, "period", "the period must be 1 second to 366 days"),
        ({"period": "9999d"}, "period", "the period must be 1 second to 366 days"),
        ({"cron": "* * * * *"}, "cron", "not both"),
        ({"period": "", "cron": "nonsense"}, "cron", "is no cron line"),
        ({"period": "", "cron": "0 0 30 2 *"}, "cron", "cron line"),
        ({"period": "", "cron": "* * * * *", "timezone": "Mars"}, "timezone", "there is no time zone"),
        ({"grace": ""}, "grace", "This field is required."),
        ({"grace": "0"}, "grace", "the grace must be"),
        ({"labels": "team"}, "labels", "Line 1 is no label"),
        ({"labels": "a=b\r\nc d=e"}, "labels", "Line 2: the label c d="),
        ({"labels": NASTY}, "labels", "Line 1: the label <script>window.hacked="),
        ({"token": "no token"}, "token", "The token must be a uuid"),
        ({"token": UUID}, "token", "there is a heartbeat with this token"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_at_its_field(
    changed: dict[str, str], at: str, said: str, alice: Client
) -> None:
    services.create(name="taken", token=UUID, now=clock.now())
    page = fill_in(alice, **changed)
    assert said in page.text
    assert {a["name"] for _, a in page.elements if "aria-invalid" in a} == {at}
    assert Heartbeat.objects.count() == 1


def test_those_that_are_down_come_first(alice: Client) -> None:
    for name in ("a-fine", "b-down", "c-late", "d-paused", "e-new"):
        heartbeat(name, period=60, grace=3_600)
    ping("a-fine")
    ping("b-down", signal="failure", exit_status=3)
    ping("c-late", minutes_ago=10)
    services.pause(heartbeat_id=services.named("d-paused").pk, now=clock.now())
    page = open_page(alice, "/heartbeats/")
    places = [page.text.index(name) for name in ("b-down", "a-fine", "c-late", "d-paused", "e-new")]
    assert places == sorted(places)
    pills = [a["class"] for tag, a in page.elements if tag == "span" and "pill" in a.get("class", "")]
    assert pills == [f"pill {state}" for state in ("down", "up", "late", "paused", "new")]
    assert "b-down failed with exit status 3" in page.text
    assert "Last ping 10 min ago, was expected 9 min ago" in page.text


def test_looked_for_by_name(alice: Client) -> None:
    heartbeat("backup-db")
    heartbeat("report")
    assert "report" not in open_page(alice, "/heartbeats/?q=BACKUP").text
    assert "Nothing matches" in open_page(alice, "/heartbeats/?q=%00nobody").text


def test_one_with_its_pings_and_what_they_said(alice: Client) -> None:
    made = heartbeat(period=3_600)
    ping(signal="start")
    ping(text="line 1\nall is well")
    ping(signal="failure", exit_status=7, text="no space left\n")
    page = open_page(alice, f"/heartbeats/{made.pk}/")
    for shown in ("failure", "exit status 7", "no space left", "all is well", "start", "the newest 3"):
        assert shown in page.text
    assert "nightly-backup failed with exit status 7" in page.text
    assert f"{services.ping_url(made)}/$?" in page.text


@pytest.mark.parametrize("nasty", [NASTY, '"><svg onload=alert(1)>', "' onmouseover='alert(1)", "{{ 7*7 }}"])
def test_their_text_is_text(nasty: str, alice: Client) -> None:
    made = services.create(name=nasty, labels={"items": nasty}, now=clock.now())
    ping(nasty, text=nasty, signal="failure")
    for path in ("/heartbeats/", *(f"/heartbeats/{made.pk}/{end}" for end in ("", "edit/", "remove/"))):
        page = open_page(alice, path)
        assert page.can_run() == [], path
        assert nasty in page.text or nasty in page.attributes("value"), path


def test_the_list_costs_no_more_with_more(alice: Client) -> None:
    def grow(count: int) -> list[str]:
        for number in range(count):
            heartbeat(f"job-{count}-{number}", period=60)
            ping(f"job-{count}-{number}")
        with counted() as asked:
            open_page(alice, "/heartbeats/")
        return asked

    few, many = grow(1), grow(20)
    assert len(many) == len(few) <= 6, many


def test_very_many_are_not_all_shown(alice: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeats, "SHOWN", 2)
    for number in range(3):
        heartbeat(f"job-{number}")
    assert "2 are shown; there are more" in open_page(alice, "/heartbeats/").text


def test_changed(alice: Client) -> None:
    old = services.create(
        name="old",
        schedule=Schedule(cron="5 4 * * *", timezone="Asia/Tokyo"),
        labels={"a": "b"},
        now=clock.now(),
    )
    path = f"/heartbeats/{old.pk}/edit/"
    page = open_page(alice, path)
    begins = {a["name"]: a.get("value", "") for tag, a in page.elements if tag == "input" and "name" in a}
    assert (begins["cron"], begins["timezone"], begins["grace"]) == ("5 4 * * *", "Asia/Tokyo", "1h")
    assert "token" not in begins and "a=b" in page.text
    page = fill_in(alice, path, period="2h", cron="", labels="c=d")
    assert "Heartbeat nightly-backup saved" in page.text
    assert (made().name, made().period, made().cron, made().labels) == (
        "nightly-backup",
        7_200,
        "",
        {"c": "d"},
    )
    heartbeat("another")
    assert "there is a heartbeat named 'another'" in fill_in(alice, path, name="another").text


def test_paused_and_resumed(alice: Client) -> None:
    kept = heartbeat(period=3_600)
    page = read(alice.post(f"/heartbeats/{kept.pk}/pause/", follow=True))
    assert "nightly-backup is paused" in page.text and "Resume" in page.text
    page = read(alice.post(f"/heartbeats/{kept.pk}/resume/", follow=True))
    assert "nightly-backup is expected again" in page.text and "Pause" in page.text
    page = read(alice.post(f"/heartbeats/{kept.pk}/resume/", follow=True))
    assert "nightly-backup is not paused" in page.text


def test_removed_once_it_was_asked(alice: Client, world: World) -> None:
    gone = heartbeat()
    assert "Remove nightly-backup?" in open_page(alice, f"/heartbeats/{gone.pk}/remove/").text
    page = read(alice.post(f"/heartbeats/{gone.pk}/remove/", follow=True))
    assert "Heartbeat nightly-backup removed" in page.text
    assert not Heartbeat.objects.exists()


@pytest.mark.parametrize("end", ["", "edit/", "remove/", "pause/", "resume/"])
def test_no_such_heartbeat(end: str, alice: Client) -> None:
    call = alice.post if end in ("pause/", "resume/") else alice.get
    assert call(f"/heartbeats/4711/{end}").status_code == 404
