"""A server is looked at again and again; what is not well for long enough is told of, and its end too."""

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.receiver import Answer, Receiver
from tests.fakes.receiver import receiver as local_receiver
from tests.world import World
from tocsin.alerts.models import Alert, AlertHistory
from tocsin.checkers import monitors, watch
from tocsin.checkers.checks import CheckResult
from tocsin.checkers.models import CheckRun, Monitor
from tocsin.checkers.rounds import TRIES, Rounds
from tocsin.checkers.setup import Setup
from tocsin.db.work import Worker

DOWN = Answer(500, b"broken")


@pytest.fixture
def shop() -> Iterator[Receiver]:
    """The server that is looked at."""
    with local_receiver() as found:
        yield found


@pytest.fixture(autouse=True)
def loopback_may_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_OUTBOUND_ALLOW", "127.0.0.0/8")


@pytest.fixture
def heard(world: World) -> World:
    """A world with a channel that hears."""
    world.channel()
    return world


def monitor(world: World, shop: Receiver, **given: Any) -> Monitor:
    """One that looks every minute, at the shop unless told otherwise."""
    options = {"url": shop.url} | given.pop("options", {})
    setup = Setup(**({"name": "shop", "checker": "http", "options": options} | given))
    return monitors.create(setup=setup, origin=Monitor.CLI, now=world.now)


def later(world: World) -> None:
    """Two minutes pass: whatever its slots are, that is one look, as those missed are not made up for."""
    world.forward(minutes=2)


def now(made: Monitor) -> Monitor:
    return Monitor.objects.get(pk=made.pk)


def test_three_failures_fire_and_a_recovery_resolves(heard: World, shop: Receiver) -> None:
    made = monitor(heard, shop, labels={"team": "web"})
    heard.work()
    assert (now(made).state, heard.sent) == ("ok", [])
    shop.default = DOWN
    later(heard)
    later(heard)
    assert (now(made).state, now(made).failing_count, heard.sent) == ("critical", 2, [])
    later(heard)
    assert (now(made).state, heard.kinds()) == ("firing", ["firing"])
    alert = Alert.objects.get()
    assert alert.labels == {
        "alertname": "shop", "monitor": made.pk, "checker": "http", "instance": "127.0.0.1", "team": "web"
    }  # fmt: skip
    assert (alert.severity, alert.source, alert.fingerprint) == ("critical", "monitor", made.pk)
    assert alert.annotations["message"] == f"HTTP 500 from {shop.url}"
    assert '"status":500' in alert.annotations["metrics"]
    assert alert.generator_url.endswith(f"/monitors/{made.pk}/")
    later(heard)
    assert heard.kinds() == ["firing"], "once"
    shop.default = Answer()
    later(heard)
    assert (now(made).state, heard.kinds()) == ("ok", ["firing", "resolved"])
    assert now(made).recent == "occcco"
    statuses = CheckRun.objects.filter(monitor=made).order_by("pk").values_list("status", flat=True)
    assert list(statuses) == ["ok", *["critical"] * 4, "ok"]


def test_a_blip_is_not_told_of(heard: World, shop: Receiver) -> None:
    made = monitor(heard, shop)
    for answer in (Answer(), DOWN, DOWN, Answer(), DOWN, DOWN, Answer()):
        shop.answers = [answer]
        later(heard)
    assert now(made).recent == "occocco"
    assert not AlertHistory.objects.exists()


def test_one_may_have_to_be_well_for_longer(heard: World, shop: Receiver) -> None:
    monitor(heard, shop, failures=1, recoveries=2)
    for answer in (DOWN, Answer(), DOWN, Answer()):
        shop.answers = [answer]
        later(heard)
    assert heard.kinds() == ["firing"]
    later(heard)
    assert heard.kinds() == ["firing", "resolved"]


def test_it_gets_worse(heard: World, shop: Receiver) -> None:
    monitor(heard, shop, failures=1, options={"warning": 0.001})
    heard.work()
    assert Alert.objects.get().severity == "warning"
    shop.default = DOWN
    later(heard)
    assert Alert.objects.get().severity == "critical"
    kinds = AlertHistory.objects.order_by("pk").values_list("kind", flat=True)
    assert list(kinds) == ["fired", "severity"]


def test_what_a_status_is_as_an_alert(heard: World, shop: Receiver) -> None:
    monitor(heard, shop, failures=1, severities={"critical": "info"})
    shop.default = DOWN
    heard.work()
    assert Alert.objects.get().severity == "info"


def test_what_cannot_be_found_out_is_a_warning(
    heard: World, shop: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOCSIN_OUTBOUND_ALLOW", "")
    made = monitor(heard, shop, failures=1)
    heard.work()
    assert Alert.objects.exclude(name="NotificationChannelFailing").get().severity == "warning"
    assert now(made).last_status == "unknown"
    assert "TOCSIN_OUTBOUND_ALLOW" in now(made).last_message
    assert shop.received == []


def test_after_days_off_it_looks_once(heard: World, shop: Receiver) -> None:
    made = monitor(heard, shop)
    heard.work()
    heard.now += timedelta(days=3)
    heard.work()
    assert len(shop.received) == 2
    due = now(made).due_at
    assert due is not None and heard.now < due <= heard.now + timedelta(seconds=95)


def test_its_slots_do_not_drift(heard: World, shop: Receiver) -> None:
    made = monitor(heard, shop, jitter=0)
    heard.work()
    slots = []
    for late in (0, 7, 25, 0, 3):
        due = now(made).due_at
        assert due is not None
        slots.append(due)
        heard.now = due + timedelta(seconds=late)
        heard.work()
    gaps = [(later - sooner).total_seconds() for sooner, later in zip(slots, slots[1:], strict=False)]
    assert gaps == [60.0] * 4, "however late a look began"


def test_two_workers_never_look_at_one_at_once(heard: World, shop: Receiver) -> None:
    for number in range(20):
        monitor(heard, shop, name=f"shop-{number}")
    rounds = [Rounds(Worker(), at_once=4) for _ in range(2)]
    while any([each.turn(heard.now) + each.busy for each in rounds]):
        pass
    assert len(shop.received) == 20
    assert CheckRun.objects.values("monitor").distinct().count() == CheckRun.objects.count() == 20


def test_a_worker_that_dies_loses_its_look_after_the_lease(heard: World, shop: Receiver) -> None:
    made = monitor(heard, shop)
    dead = Worker()
    assert watch.claim(dead.token(), heard.now, 10) == [made]
    heard.forward(seconds=50)
    assert shop.received == []
    heard.forward(seconds=15)
    assert len(shop.received) == 1
    late = watch.Found(made.pk, f"{dead.name}.1", heard.now, CheckResult("http", "critical", "late"))
    assert watch.settle([late], heard.now) == 0, "what it found after all changes nothing"
    assert now(made).last_status == "ok"


def test_a_worker_known_to_be_dead_gives_its_looks_back_at_once(heard: World, shop: Receiver) -> None:
    monitor(heard, shop)
    dead = Worker()
    watch.claim(dead.token(), heard.now, 10)
    assert Monitor.objects.release(dead.name, heard.now) == 1
    heard.work()
    assert len(shop.received) == 1


def test_one_whose_looks_end_the_worker_is_left_alone(heard: World, shop: Receiver) -> None:
    made = monitor(heard, shop, failures=1)
    for _ in range(TRIES):
        watch.claim(Worker().token(), heard.now, 10)
        heard.now += timedelta(minutes=2)
    heard.work()
    assert shop.received == []
    assert now(made).last_message == "3 checks were begun and none of them ended"
    later(heard)
    assert now(made).last_status == "ok", "it is tried again at its next slot"


def test_a_check_that_hangs_stops_no_other_and_is_not_begun_again(
    heard: World, shop: Receiver, tmp_path: Path
) -> None:
    """To read a pipe that nobody writes hangs, as a dead network file system does."""
    pipe = tmp_path / "mdstat"
    os.mkfifo(pipe)
    for name in ("stuck-1", "stuck-2"):
        options = {"mdstat": str(pipe), "timeout": 0.05}
        setup = Setup(name=name, checker="raid", options=options)
        monitors.create(setup=setup, origin=Monitor.CLI, now=heard.now)
    made = monitor(heard, shop)
    heard.rounds = Rounds(heard.worker, at_once=1)
    heard.work()
    assert now(made).last_status == "ok"
    assert told() == {"no answer within 0.05 s"}, "each had its turn, though the first still hangs"
    later(heard)
    assert told() == {"an earlier check still has not answered"}
    assert now(made).recent == "oo"
    elsewhere = Setup(name="stuck-2", checker="raid", options={"mdstat": str(tmp_path / "none")})
    monitors.change(monitor_id=monitors.named("stuck-2").pk, setup=elsewhere, now=heard.now)
    heard.work()
    assert len(told()) == 2, "it looks elsewhere now, and is not held up by what hung before"
    with pipe.open("w") as end:
        end.write("Personalities :\nunused devices: <none>\n" * 2)
    while heard.rounds.hanging:
        heard.rounds.turn(heard.now)
    pipe.unlink()
    pipe.write_text("Personalities :\nunused devices: <none>\n")
    later(heard)
    assert all(message.startswith("there is no RAID array") for message in told())


def told() -> set[str]:
    """What those that were stuck say."""
    stuck = Monitor.objects.filter(name__startswith="stuck")
    return set(stuck.values_list("last_message", flat=True))


def test_what_is_disabled_is_not_looked_at_and_its_alert_ends(heard: World, shop: Receiver) -> None:
    made = monitor(heard, shop, failures=1)
    shop.default = DOWN
    heard.work()
    monitors.enable(monitor_id=made.pk, enabled=False, now=heard.now)
    heard.forward(days=1)
    assert (len(shop.received), heard.kinds()) == (1, ["firing", "resolved"])
    assert now(made).state == "disabled"
    monitors.enable(monitor_id=made.pk, enabled=True, now=heard.now)
    heard.work()
    assert (len(shop.received), now(made).failing_count) == (2, 1)


def test_what_was_changed_during_a_look_is_looked_at_anew(heard: World, shop: Receiver) -> None:
    made = monitor(heard, shop)
    (held,) = watch.claim(Worker().token(), heard.now, 10)
    changed = Setup(name="shop", checker="http", options={"url": f"{shop.url}/other"})
    monitors.change(monitor_id=made.pk, setup=changed, now=heard.now)
    old = watch.Found(made.pk, held.lease, heard.now, CheckResult("http", "critical", "of the old one"))
    assert watch.settle([old], heard.now) == 0
    heard.work()
    assert [request.path for request in shop.received] == ["/hook/other"]
    assert now(made).recent == "o"


def test_what_looks_elsewhere_now_begins_anew(heard: World, shop: Receiver) -> None:
    made = monitor(heard, shop, failures=1)
    shop.answers = [DOWN]
    heard.work()
    elsewhere = Setup(name="shop", checker="http", options={"url": f"{shop.url}/other"}, failures=1)
    monitors.change(monitor_id=made.pk, setup=elsewhere, now=heard.now)
    heard.work()
    assert heard.kinds() == ["firing", "resolved"]
    assert now(made).recent == "o"


def test_what_is_removed_leaves_no_alert_and_no_results_behind(heard: World, shop: Receiver) -> None:
    made = monitor(heard, shop, failures=1)
    shop.default = DOWN
    heard.work()
    monitors.remove(monitor_id=made.pk, now=heard.now)
    heard.forward(hours=1)
    assert heard.kinds() == ["firing", "resolved"]
    assert not CheckRun.objects.filter(monitor__isnull=False).exists()
    assert len(shop.received) == 1


def test_looked_at_by_hand_counts_as_any_look(heard: World, shop: Receiver) -> None:
    made = monitor(heard, shop, failures=2)
    shop.default = DOWN
    heard.work()
    assert monitors.look_now(monitor=now(made), now=heard.now).status == "critical"
    heard.work()
    assert heard.kinds() == ["firing"]
    assert CheckRun.objects.filter(monitor=made).count() == 2


def test_a_worker_that_ends_gives_back_what_it_did_not_wait_for(heard: World, shop: Receiver) -> None:
    made = monitor(heard, shop)
    shop.default = Answer(delay=0.5)
    heard.rounds.turn(heard.now)
    heard.rounds.end(heard.now, until=float("-inf"))
    assert heard.rounds.turn(heard.now) == 0
    assert (now(made).due_at, now(made).lease, now(made).attempts) == (heard.now, "", 0)
    shop.default = Answer()
    heard.rounds = Rounds(Worker())
    heard.work()
    assert now(made).last_status == "ok"


def test_a_worker_that_ends_writes_what_was_still_found(heard: World, shop: Receiver) -> None:
    made = monitor(heard, shop)
    heard.rounds.turn(heard.now)
    heard.rounds.end(heard.now, until=float("inf"))
    assert now(made).last_status == "ok"


def test_checkers_that_a_setting_skips_are_not_run(
    heard: World, shop: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = monitor(heard, shop)
    monkeypatch.setenv("CHECKERS_SKIP", "http")
    heard.forward(minutes=1)
    assert (shop.received, now(made).state) == ([], "new")


def test_secrets_are_encrypted_at_rest(world: World, shop: Receiver) -> None:
    made = monitor(world, shop, options={"token": "s3cr3t"})
    row = Monitor.objects.filter(pk=made.pk).extra(select={"raw": "options"}).values("raw").get()
    assert "s3cr3t" not in str(row) and shop.url not in str(row)
    world.work()
    assert shop.received[0].headers["authorization"] == "Bearer s3cr3t"
