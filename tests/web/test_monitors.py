"""Monitors as people see, make, try, change, disable and remove them."""

from typing import Any, Final

import pytest
from django.test import Client

from tests.fakes.receiver import Answer, Receiver
from tests.statements import counted
from tests.web.markup import Page, open_page, read
from tests.world import World
from tocsin.checkers import monitors as services
from tocsin.checkers import watch
from tocsin.checkers.checks import CheckResult, checkers
from tocsin.checkers.models import CheckRun, Monitor
from tocsin.checkers.setup import Setup, usable
from tocsin.core import clock
from tocsin.db.work import Worker
from tocsin.web.views import monitors

NASTY: Final = "<script>window.hacked=1</script>"
SECRET: Final = "s3cr3t-that-nobody-may-see"
GIVEN: Final = {
    "monitor_name": "shop", "monitor_interval": "1m", "monitor_failures": "3", "monitor_recoveries": "1",
    "monitor_jitter": "0.1", "monitor_warning": "warning", "monitor_critical": "critical",
    "monitor_unknown": "warning", "option_url": "https://shop.example/health", "option_timeout": "10",
    "option_warning": "2000", "option_critical": "5000", "option_method": "GET", "option_verify": "on",
    "option_follow": "on", "option_max_bytes": "1048576", "option_days_warning": "14",
    "option_days_critical": "3",
}  # fmt: skip


@pytest.fixture(autouse=True)
def loopback_may_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_OUTBOUND_ALLOW", "127.0.0.0/8")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who looks by hand does not wait for another's look."""
    monkeypatch.setattr(services, "PATIENCE_SECONDS", 0)


def fill_in(browser: Client, path: str = "/monitors/add/http/", **given: str) -> Page:
    """Send the form; the page that follows."""
    answer = browser.post(path, GIVEN | given, follow=True)
    assert answer.status_code == 200
    page = read(answer)
    assert page.can_run() == []
    return page


def made() -> Monitor:
    found: Monitor = Monitor.objects.get()
    return found


def monitor(name: str = "shop", **given: Any) -> Monitor:
    setup = Setup(**({"name": name, "checker": "cpu", "failures": 1} | given))
    return services.create(setup=setup, origin=Monitor.CLI, now=clock.now())


def finds(of: Monitor, status: str, message: str = "as it is", **metrics: float) -> None:
    """A worker looks and finds this."""
    Monitor.objects.filter(pk=of.pk).update(due_at=clock.now())
    (held,) = watch.claim(Worker().token(), clock.now(), 1)
    result = CheckResult(of.checker, status, message, metrics, 1.5)
    watch.settle([watch.Found(of.pk, held.lease, clock.now(), result)], clock.now())
    Monitor.objects.filter(pk=of.pk).update(due_at=None)


def test_none_yet(alice: Client) -> None:
    page = open_page(alice, "/monitors/")
    assert "No monitor yet" in page.text
    assert "/monitors/add/" in page.attributes("href")
    assert "/monitors/" in open_page(alice, "/").attributes("href")


def test_every_checker_has_its_form(alice: Client) -> None:
    cards = open_page(alice, "/monitors/add/").attributes("href")
    for name in usable():
        assert f"/monitors/add/{name}/" in cards
        page = open_page(alice, f"/monitors/add/{name}/")
        assert page.can_run() == []
        fields = checkers.get(name).Config.model_fields
        assert {f"option_{field}" for field in fields} < set(page.attributes("name"))
        labelled = [a["for"] for tag, a in page.elements if tag == "label"]
        assert set(labelled) <= set(page.attributes("id"))
    assert "/monitors/add/command/" not in cards


@pytest.mark.parametrize("name", ["nonsense", "command", "__init__", "%00"])
def test_no_such_checker(name: str, alice: Client) -> None:
    assert alice.get(f"/monitors/add/{name}/").status_code == 404


def test_made(alice: Client) -> None:
    page = fill_in(
        alice, monitor_labels="team=web\r\n", option_token=SECRET, option_headers="X-A=1\r\nX-B=2",
        option_statuses="200\r\n204", option_verify="", monitor_unknown="critical",
    )  # fmt: skip
    assert "Monitor shop added. It looks now." in page.text
    assert SECRET not in page.text
    found = made()
    assert found.options == {
        "url": "https://shop.example/health", "token": SECRET, "headers": {"X-A": "1", "X-B": "2"},
        "statuses": [200, 204], "verify": False,
    }, "and what is as the checker has it is left to it"  # fmt: skip
    assert (found.labels, found.origin, found.interval) == ({"team": "web"}, "ui", 60)
    assert found.severities["unknown"] == "critical"
    assert found.due_at is not None


@pytest.mark.parametrize(
    ("changed", "at", "said"),
    [
        ({"monitor_name": ""}, "monitor_name", "This field is required."),
        ({"monitor_name": "taken"}, "monitor_name", "there is a monitor named 'taken'"),
        ({"monitor_interval": "soon"}, "monitor_interval", "Write it as 90s, 5m, 1h30m or 2d."),
        ({"monitor_interval": "9s"}, "monitor_interval", "it must be 10 to 86,400 seconds"),
        ({"monitor_failures": "0"}, "monitor_failures", "greater than or equal to 1"),
        ({"monitor_jitter": "2"}, "monitor_jitter", "less than or equal to 0.5"),
        ({"monitor_labels": "team"}, "monitor_labels", "Line 1 is no label"),
        ({"monitor_critical": "worst"}, "monitor_critical", "Select a valid choice"),
        ({"option_url": ""}, "option_url", "This field is required."),
        ({"option_url": "javascript:alert(1)"}, "option_url", "It must begin with http:// or https://."),
        ({"option_matches": "("}, "option_matches", "not a regular expression"),
        ({"option_statuses": "many"}, "option_statuses", "valid integer"),
        ({"option_statuses": "[1,"}, "option_statuses", "This is no JSON"),
        ({"option_headers": "X-A"}, "option_headers", "Line 1: write it as name=value."),
        ({"option_warning": "soon"}, "option_warning", "Enter a number."),
        ({"option_timeout": "0"}, "option_timeout", "greater than 0"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(
    changed: dict[str, str], at: str, said: str, alice: Client
) -> None:
    monitor("taken")
    page = fill_in(alice, **changed)
    assert said in page.text
    assert {a["name"] for _, a in page.elements if "aria-invalid" in a} == {at}
    assert Monitor.objects.count() == 1


def test_tried_before_it_is_made(alice: Client, receiver: Receiver) -> None:
    receiver.default = Answer(503)
    page = fill_in(alice, **{"try": "1", "monitor_name": "", "option_url": receiver.url})
    assert f"HTTP 503 from {receiver.url}" in page.text and "status=503" in page.text
    receiver.default = Answer()
    assert "HTTP 200" in fill_in(alice, **{"try": "1", "option_url": receiver.url}).text
    assert not Monitor.objects.exists() and not CheckRun.objects.exists()


def test_what_cannot_be_tried_is_said(alice: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "URL: This field is required." in fill_in(alice, **{"try": "1", "option_url": ""}).text
    monkeypatch.setenv("TOCSIN_OUTBOUND_ALLOW", "")
    page = fill_in(alice, **{"try": "1", "option_url": "http://169.254.169.254/latest/meta-data/"})
    assert "TOCSIN_OUTBOUND_ALLOW" in page.text


def test_those_that_are_not_well_come_first(alice: Client) -> None:
    for name, status in (("a-ok", "ok"), ("c-unknown", "unknown"), ("d-critical", "critical")):
        finds(monitor(name, failures=2), status, f"{name} says so")
    finds(monitor("b-firing"), "critical")
    monitor("e-disabled", enabled=False)
    monitor("f-new")
    page = open_page(alice, "/monitors/")
    assert page.can_run() == []
    pills = [a["class"] for tag, a in page.elements if tag == "span" and "pill" in a.get("class", "")]
    states = ("firing", "critical", "unknown", "ok", "new", "disabled")
    assert pills == [f"pill {state}" for state in states]
    assert "c-unknown says so" in page.text and "1 of 2 in a row" in page.text
    bars = [a["class"] for tag, a in page.elements if tag == "rect"]
    assert sorted(bars) == ["critical", "critical", "ok", "unknown"]


def test_looked_for_by_name_and_target(alice: Client) -> None:
    monitor("front", checker="http", options={"url": "https://shop.example/?key=s3cr3t"})
    monitor("machine")
    assert "machine" not in open_page(alice, "/monitors/?q=SHOP.example").text
    assert "front" not in open_page(alice, "/monitors/?q=mach").text
    assert "Nothing matches" in open_page(alice, "/monitors/?q=s3cr3t%00").text


def test_one_with_its_results_and_its_incident(alice: Client, world: World, receiver: Receiver) -> None:
    receiver.default = Answer(500)
    shop = monitor(checker="http", options={"url": receiver.url, "token": SECRET}, labels={"team": "web"})
    world.now = clock.now()
    world.work()
    receiver.default = Answer()
    finds(shop, "critical", "HTTP 502", latency_ms=20.0, body_bytes=4_096.0)
    path = f"/monitors/{shop.pk}/"
    page = open_page(alice, path)
    assert page.can_run() == []
    for shown in ("HTTP 500", "HTTP 502", "firing", "team=web", "token=••••••", f"url={receiver.url}"):
        assert shown in page.text, shown
    assert SECRET not in page.text
    assert f"/incidents/{world.incident().pk}/" in page.attributes("href")
    (line,) = (a["d"] for tag, a in page.elements if tag == "path" and a["class"] == "value")
    assert line.startswith("M0.0 ") and "L1000.0 " in line
    other = open_page(alice, f"{path}?metric=body_bytes")
    assert "4.0\xa0KB" in other.text
    assert open_page(alice, f"{path}?metric={NASTY}").can_run() == []


def test_run_now_counts_once_it_is_there(alice: Client, receiver: Receiver, impatient: None) -> None:
    shop = monitor(checker="http", options={"url": receiver.url})
    page = read(alice.post(f"/monitors/{shop.pk}/run/", follow=True))
    assert "Ok: HTTP 200" in page.text and "the newest 1" in page.text
    Monitor.objects.update(lease="another worker's")
    page = read(alice.post(f"/monitors/{shop.pk}/run/", follow=True))
    assert "shop is being looked at just now." in page.text


def test_changed_and_its_secrets_stay(alice: Client) -> None:
    options = {"url": "https://shop.example/", "token": SECRET, "headers": {"X-Key": SECRET}, "warning": 100}
    shop = monitor(checker="http", options=options, labels={"a": "b"}, interval=300)
    path = f"/monitors/{shop.pk}/edit/"
    page = open_page(alice, path)
    begins = {a["name"]: a.get("value", "") for tag, a in page.elements if tag == "input" and "name" in a}
    assert (begins["monitor_name"], begins["monitor_interval"], begins["option_warning"]) == (
        "shop", "5m", "100"
    )  # fmt: skip
    assert "a=b" in page.text and "X-Key=••••••" in page.text and SECRET not in page.text
    page = fill_in(alice, path, monitor_interval="2m", option_headers="X-Key=••••••\r\nX-New=1")
    assert "Monitor shop saved" in page.text
    assert made().interval == 120
    assert made().options == {
        "url": "https://shop.example/health", "token": SECRET, "headers": {"X-Key": SECRET, "X-New": "1"}
    }  # fmt: skip
    fill_in(alice, path, option_token="another")
    assert made().options["token"] == "another"
    monitor("other")
    assert "there is a monitor named 'other'" in fill_in(alice, path, monitor_name="other").text


def test_what_is_changed_is_tried_with_its_secrets(alice: Client, receiver: Receiver) -> None:
    shop = monitor(checker="http", options={"url": receiver.url, "token": SECRET})
    fill_in(alice, f"/monitors/{shop.pk}/edit/", **{"try": "1", "option_url": receiver.url})
    assert receiver.received[0].headers["authorization"] == f"Bearer {SECRET}"


def test_disabled_and_enabled(alice: Client) -> None:
    shop = monitor()
    page = read(alice.post(f"/monitors/{shop.pk}/enable/", follow=True))
    assert "shop looks no more" in page.text and "Enable" in page.text
    assert made().due_at is None
    page = read(alice.post(f"/monitors/{shop.pk}/enable/", {"on": "1"}, follow=True))
    assert "shop looks again" in page.text and "Disable" in page.text


def test_removed_once_it_was_asked(alice: Client) -> None:
    shop = monitor()
    finds(shop, "critical")
    assert "Remove shop?" in open_page(alice, f"/monitors/{shop.pk}/remove/").text
    page = read(alice.post(f"/monitors/{shop.pk}/remove/", follow=True))
    assert "Monitor shop removed" in page.text
    assert not Monitor.objects.exists() and not CheckRun.objects.exists()


@pytest.mark.parametrize("nasty", [NASTY, '"><svg onload=alert(1)>', "' onmouseover='alert(1)", "{{ 7*7 }}"])
def test_their_text_is_text(nasty: str, alice: Client) -> None:
    shop = monitor(nasty, labels={"items": nasty}, checker="dns", options={"name": nasty})
    finds(shop, "critical", nasty, **{nasty: 1.0, f"{nasty}[{nasty}]": 2.0})
    finds(shop, "unknown", nasty, **{nasty: 3.0})
    ends = ("", "edit/", "remove/")
    for path in ("/monitors/", *(f"/monitors/{shop.pk}/{end}" for end in ends)):
        page = open_page(alice, path)
        assert page.can_run() == [], path
        assert nasty in page.text or nasty in page.attributes("value"), path


def test_one_whose_checker_is_gone_can_still_be_seen_and_removed(alice: Client) -> None:
    shop = monitor(checker="http", options={"url": "https://x.example/", "token": SECRET})
    Monitor.objects.update(checker="gone")
    page = open_page(alice, f"/monitors/{shop.pk}/")
    assert "url=••••••" in page.text and SECRET not in page.text
    assert alice.get(f"/monitors/{shop.pk}/edit/").status_code == 404
    page = read(alice.post(f"/monitors/{shop.pk}/run/", follow=True))
    assert "gone" in page.text
    assert "removed" in read(alice.post(f"/monitors/{shop.pk}/remove/", follow=True)).text


def test_the_list_costs_no_more_with_more(alice: Client) -> None:
    def grow(count: int) -> list[str]:
        for number in range(count):
            finds(monitor(f"m-{count}-{number}"), "ok")
        with counted() as asked:
            open_page(alice, "/monitors/")
        return asked

    few, many = grow(1), grow(20)
    assert len(many) == len(few) <= 6, many


def test_very_many_are_not_all_shown(alice: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitors, "SHOWN", 2)
    for number in range(3):
        monitor(f"m-{number}")
    assert "2 are shown; there are more" in open_page(alice, "/monitors/").text


@pytest.mark.parametrize("end", ["", "edit/", "remove/", "enable/", "run/"])
def test_no_such_monitor(end: str, alice: Client) -> None:
    call = alice.post if end in ("enable/", "run/") else alice.get
    assert call(f"/monitors/mon_nobody/{end}").status_code == 404
