"""What monitors are made of: slots, targets, set-ups, secrets, charts, and results thinned by age."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as some
from pydantic import BaseModel, SecretStr

from tocsin.checkers import monitors, target, thinning, watch
from tocsin.checkers.checks import CheckResult, checkers
from tocsin.checkers.models import CheckRun, Monitor
from tocsin.checkers.setup import Setup, Wrong, read, usable
from tocsin.checkers.thinning import thin
from tocsin.checkers.timing import after_look, next_look
from tocsin.core.secret_fields import MASK, masked, revealed, unmasked
from tocsin.db.work import Worker

NOW: Final = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


# When it looks.


@given(
    interval=some.integers(10, 86_400),
    jitter=some.floats(0, 0.5),
    draw=some.floats(0, 1),
    late=some.floats(0, 100_000),
)
def test_the_next_look_is_one_interval_on_or_later(
    interval: int, jitter: float, draw: float, late: float
) -> None:
    slot = next_look("mon_1", interval, 0, NOW)
    began = next_look("mon_1", interval, jitter, NOW, draw)
    now = began + timedelta(seconds=late)
    after = next_look("mon_1", interval, 0, after_look(began, interval, now))
    slots = (after - slot).total_seconds() / interval
    assert slots == pytest.approx(round(slots), abs=1e-3), "always on its own slots"
    assert after >= now - timedelta(milliseconds=1), "looks that were missed are not made up for"
    assert (after - now).total_seconds() <= interval * 1.26
    if late == 0:
        assert round(slots) == 1


def test_a_thousand_do_not_look_at_once() -> None:
    looks = [next_look(f"mon_{number}", 60, 0, NOW) for number in range(1_000)]
    seconds = [int((look - NOW).total_seconds()) for look in looks]
    assert max(seconds.count(second) for second in range(60)) < 40


# What it looks at.


@pytest.mark.parametrize(
    ("checker", "options", "told", "host"),
    [
        ("http", {"url": "https://shop.example:8443/a?key=s3cr3t"}, "https://shop.example:8443/a",
         "shop.example"),
        ("http", {"url": "http://[::1]:80/"}, "http://[::1]:80/", "::1"),
        ("tcp", {"hosts": ["mail.example:25"]}, "mail.example:25", "mail.example"),
        ("tcp", {"hosts": ["a.example:25", "a.example:587"]}, "a.example:25, a.example:587", "a.example"),
        ("tcp", {"hosts": ["a.example:25", "b.example:25"]}, "a.example:25, b.example:25", ""),
        ("tls", {"hosts": ["[::1]:443"]}, "[::1]:443", "::1"),
        ("ping", {"hosts": ["router"]}, "router", "router"),
        ("dns", {"name": "example.org"}, "example.org", "example.org"),
        ("redis", {"host": "cache", "port": 6380}, "cache:6380", "cache"),
        ("postgres", {"dsn": "postgresql://u:s3cr3t@db.example/x"}, "db.example", "db.example"),
        ("disk", {"paths": ["/", "/var"]}, "/, /var", ""),
        ("cpu", {}, "", ""),
    ],
)  # fmt: skip
def test_what_a_monitor_looks_at(checker: str, options: dict[str, Any], told: str, host: str) -> None:
    read = checkers.get(checker).Config.model_validate(options)
    assert target.read(read) == target.Target(told, host)


@pytest.mark.parametrize("checker", usable())
def test_every_checkers_options_have_a_target(checker: str) -> None:
    target.read(checkers.get(checker).Config.model_construct())


def test_a_very_long_target_is_cut() -> None:
    read = checkers.get("tcp").Config.model_validate({"hosts": [f"host-{n}:25" for n in range(99)]})
    assert len(target.read(read).told) == target.LONGEST


# How it is set up.


def test_a_set_up_as_json_has_it() -> None:
    setup = read({"name": "x", "checker": "cpu", "interval": "1h30m", "severities": {"unknown": "info"}})
    assert (setup.interval, setup.failures, setup.jitter) == (5_400, 3, 0.1)
    assert setup.severities == {"warning": "warning", "critical": "critical", "unknown": "info"}


@given(
    some.dictionaries(some.sampled_from(Setup.__struct_fields__), some.none() | some.integers() | some.text())
)
def test_any_set_up_is_read_or_refused_in_words(told: dict[str, Any]) -> None:
    try:
        msgspec.json.encode(read(told))
    except Wrong as error:
        assert str(error)


# Its secrets.


class Config(BaseModel):
    url: str
    token: SecretStr = SecretStr("")
    headers: dict[str, SecretStr] = {}
    limit: float = 3


def test_secrets_are_stored_and_not_shown() -> None:
    stored = revealed(Config.model_validate({"url": "x", "token": "t", "headers": {"a": "h"}, "limit": 5}))
    assert stored == {"url": "x", "token": "t", "headers": {"a": "h"}, "limit": 5}
    shown = masked(Config, stored)
    assert shown == {"url": "x", "token": MASK, "headers": {"a": MASK}, "limit": 5}
    assert unmasked(Config, shown, stored) == stored
    changed = shown | {"token": "new", "headers": {"a": MASK, "b": "new"}}
    assert unmasked(Config, changed, stored) == stored | {"token": "new", "headers": {"a": "h", "b": "new"}}
    assert masked(Config, {"unheard of": "s"}) == {"unheard of": MASK}, "nobody knows what that is"


# What it found.


def made(**given: Any) -> Monitor:
    setup = Setup(**({"name": "x", "checker": "cpu"} | given))
    return monitors.create(setup=setup, origin=Monitor.CLI, now=NOW)


@pytest.mark.django_db
def test_what_a_strange_checker_finds_is_kept_as_every_database_takes_it() -> None:
    monitor = made(failures=1)
    (held,) = watch.claim(Worker().token(), NOW, 1)
    odd = CheckResult("cpu", "critical", "a\0b" + "x" * 9_000, {"a": float("nan"), "b": float("inf"), "c": 1})
    assert watch.settle([watch.Found(monitor.pk, held.lease, NOW, odd)], NOW) == 1
    run = CheckRun.objects.get()
    assert run.metrics == {"c": 1}
    assert run.message.startswith("a\N{REPLACEMENT CHARACTER}b") and len(run.message) == 2_000


@pytest.mark.django_db
def test_a_long_check_has_a_long_lease() -> None:
    made()
    (held,) = watch.claim(Worker().token(), NOW, 1)
    watch.extend(held, 600, NOW)
    assert Monitor.objects.get().due_at == NOW + timedelta(seconds=630)


@pytest.mark.django_db
def test_there_is_an_end_to_how_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitors, "MOST", 1)
    made()
    with pytest.raises(monitors.Rejected, match="there are 1 monitors"):
        made(name="y")


# How long it is kept.


def found(at: datetime, status: str = "ok", **more: Any) -> None:
    CheckRun.objects.create(checker="cpu", instance="here", status=status, started_at=at, **more)


def kept() -> list[tuple[datetime, str]]:
    return list(CheckRun.objects.order_by("started_at", "pk").values_list("started_at", "status"))


def thin_all(now: datetime) -> int:
    steps = 0
    while thin(now, limit=7):
        steps += 1
        assert steps < 1_000
    return steps


@pytest.mark.django_db
def test_all_is_kept_for_two_days_then_one_an_hour_then_one_a_day_for_a_year() -> None:
    first = datetime(2026, 1, 1, tzinfo=UTC)
    for number in range(3 * 24 * 6):
        found(first + timedelta(minutes=10 * number))
    day = timedelta(days=1)
    thin_all(first + 2 * day)
    assert len(kept()) == 3 * 24 * 6
    thin_all(first + 3 * day)
    assert [at for at, _ in kept()][:25] == [first + timedelta(hours=n) for n in range(24)] + [first + day]
    assert len(kept()) == 24 + 2 * 24 * 6
    thin_all(first + 10 * day)
    assert len(kept()) == 3 * 24
    thin_all(first + 33 * day)
    assert [at for at, _ in kept()] == [first, first + day, first + 2 * day]
    thin_all(first + 366 * day)
    assert [at for at, _ in kept()] == [first + day, first + 2 * day]
    thin_all(first + 999 * day)
    assert kept() == []


@pytest.mark.django_db
def test_what_went_wrong_stays() -> None:
    first = datetime(2026, 1, 1, tzinfo=UTC)
    worst = first + timedelta(hours=5, minutes=50)
    for number in range(24 * 60):
        at = first + timedelta(minutes=number)
        found(at, "critical" if at == worst else "warning" if number % 60 == 59 else "ok")
    thin_all(first + timedelta(days=10))
    assert [status for _, status in kept()].count("warning") == 23
    thin_all(first + timedelta(days=99))
    assert kept() == [(worst, "critical")]


@pytest.mark.django_db
def test_each_series_is_thinned_alone() -> None:
    monitor = made()
    for minute in range(3):
        at = NOW + timedelta(minutes=minute)
        found(at)
        found(at, monitor=monitor)
        CheckRun.objects.create(checker="cpu", instance="there", status="ok", started_at=at)
        CheckRun.objects.create(checker="disk", instance="here", status="ok", started_at=at)
    thin_all(NOW + timedelta(days=3))
    assert CheckRun.objects.count() == 4
    assert {run.started_at for run in CheckRun.objects.all()} == {NOW}


@pytest.mark.django_db
def test_a_result_that_comes_late_joins_its_hour() -> None:
    found(NOW)
    thin_all(NOW + timedelta(days=3))
    found(NOW + timedelta(minutes=5), "critical")
    thin_all(NOW + timedelta(days=3))
    assert kept() == [(NOW + timedelta(minutes=5), "critical")]
    assert CheckRun.objects.get().kept == CheckRun.HOURLY


@pytest.mark.django_db
def test_a_step_is_small() -> None:
    for number in range(thinning.STEP + 5):
        found(NOW + timedelta(seconds=number))
    assert thin(NOW + timedelta(days=3)) == thinning.STEP
    assert thin(NOW + timedelta(days=3)) == 5
