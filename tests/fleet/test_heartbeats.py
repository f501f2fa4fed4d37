"""Taking signs of life: whose they are, what they change, what is kept of them."""

from datetime import timedelta
from typing import Any, Final

import pytest
from django.db import connection

from tests.world import World
from tocsin.alerts import sources
from tocsin.alerts.events import Beat
from tocsin.alerts.intake.beside import Told
from tocsin.core.errors import Rejected, Unknown
from tocsin.fleet import heartbeats
from tocsin.fleet.models import Heartbeat, Ping
from tocsin.fleet.schedule import Schedule
from tocsin.fleet.watch import watch

UUID: Final = "5bf66975-d4c7-4bf5-bcc8-b8d8a82ea278"


def told(world: World, trusted: bool = True, sender: str = "") -> Told:
    return Told("healthchecks", sender, "trace", world.now, trusted)


def take(world: World, trusted: bool = True, sender: str = "", **beat: Any) -> bool:
    return heartbeats.take([Beat(**beat)], told(world, trusted, sender))


def make(world: World, **given: Any) -> Heartbeat:
    return heartbeats.create(**({"name": "backup", "token": UUID, "now": world.now} | given))


def test_the_token_is_kept_encrypted_and_found_by_its_digest(world: World) -> None:
    made = make(world)
    with connection.cursor() as cursor:
        cursor.execute("SELECT token, digest FROM fleet_heartbeat")
        assert UUID not in str(cursor.fetchall())
    assert Heartbeat.objects.get().token == UUID
    assert heartbeats.ping_url(made).endswith(f"/ping/{UUID}")
    assert take(world, trusted=False, token=UUID) is False
    assert Heartbeat.objects.get().state == "up"


def test_a_ping_leaves_the_token_as_it_is(world: World) -> None:
    def kept() -> str:
        with connection.cursor() as cursor:
            cursor.execute("SELECT token FROM fleet_heartbeat")
            return str(cursor.fetchall())

    made = make(world)
    before = kept()
    take(world, token=UUID, signal="failure")
    heartbeats.pause(heartbeat_id=made.pk, now=world.now)
    assert kept() == before


def test_each_gets_a_token_of_its_own(world: World) -> None:
    first, second = make(world, token=""), make(world, name="other", token="")
    assert first.token != second.token
    assert heartbeats.UUID.fullmatch(first.token)


def test_a_token_that_is_no_uuid_is_a_push_url(world: World) -> None:
    assert heartbeats.ping_url(make(world, token="Zx8fJ2")).endswith("/api/push/Zx8fJ2")


@pytest.mark.parametrize(
    "given",
    [
        {"name": ""}, {"name": " a"}, {"name": "a\nb"}, {"name": "x" * 101}, {"token": "short"},
        {"token": "not a token"}, {"labels": {"a b": "c"}}, {"labels": {"a": ""}},
        {"labels": {f"l{n}": "x" for n in range(51)}}, {"schedule": Schedule(period=-1)},
        {"name": "taken"}, {"token": "taken-token"},
    ],
)  # fmt: skip
def test_what_cannot_be_made_is_refused(world: World, given: dict[str, Any]) -> None:
    make(world, name="taken", token="taken-token")
    with pytest.raises(Rejected):
        make(world, **given)
    assert Heartbeat.objects.count() == 1


def test_an_unknown_token_is_adopted_where_its_sender_is_trusted(world: World) -> None:
    with pytest.raises(Unknown, match="not found"):
        take(world, trusted=False, token=UUID)
    assert take(world, token=UUID) is True
    assert take(world, token=UUID.upper()) is False
    assert Heartbeat.objects.get().name == "heartbeat-5bf66975"
    assert take(world, token="5bf66975-0000-4bf5-bcc8-b8d8a82ea278") is True
    assert Heartbeat.objects.latest("pk").name == "heartbeat-5bf66975-0000-4bf5"


def test_a_name_is_adopted_unless_it_is_not_to_be_made(world: World) -> None:
    with pytest.raises(Unknown):
        take(world, name="db backup", create=False)
    with pytest.raises(Unknown):
        take(world, name="db backup", trusted=False)
    assert take(world, name="db backup", sender="cron") is True
    assert take(world, name="db backup", create=True) is False
    assert Heartbeat.objects.get().sender == "cron"


def test_a_known_name_needs_trust_as_well(world: World) -> None:
    make(world)
    with pytest.raises(Unknown):
        take(world, name="backup", trusted=False)
    assert not Ping.objects.exists()


def test_a_sources_own_token_stands_for_its_name(world: World) -> None:
    token = sources.create_source(name="cron", labels={}, now=world.now)
    for _ in range(2):
        take(world, token=token, sender="cron", signal="failure")
    found = Heartbeat.objects.get()
    assert (found.name, found.sender) == ("cron", "cron")
    world.work()
    assert world.incident().title


def test_there_are_never_too_many(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeats, "MOST", 1)
    take(world, token=UUID)
    with pytest.raises(Rejected, match="there are 1 heartbeats"):
        take(world, name="another")
    take(world, token=UUID)


def test_the_newest_pings_are_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeats, "PINGS_KEPT", 3)
    make(world, name="other", token="other-token")
    take(world, token="other-token")
    for number in range(5):
        take(world, token=UUID, text=str(number))
    kept = Ping.objects.filter(heartbeat__token__isnull=False).order_by("pk")
    assert [ping.text for ping in kept] == ["", "2", "3", "4"]


def test_texts_are_cut_and_hold_no_nul(world: World) -> None:
    take(world, token=UUID, signal="failure", text="\0" + "x" * 20_000 + "\0end", run="a" * 100)
    ping = Ping.objects.get()
    assert (len(ping.text), ping.text[-4:], len(ping.run)) == (10_000, "\ufffdend", 64)


def test_runs_that_overlap_are_told_apart(world: World) -> None:
    make(world)

    def step(signal: Any, run: str) -> Heartbeat:
        take(world, token=UUID, signal=signal, run=run)
        world.now += timedelta(minutes=10)
        return Heartbeat.objects.get()

    step("start", "a")
    step("start", "b")
    first = step("success", "a")
    assert (first.last_duration, first.run) == (20 * 60, "b"), "b still runs"
    second = step("success", "b")
    assert (second.last_duration, second.started_at) == (20 * 60, None)
    assert step("success", "c").last_duration is None


def test_a_later_start_counts_anew(world: World) -> None:
    make(world)
    take(world, token=UUID, signal="start")
    world.now += timedelta(minutes=10)
    take(world, token=UUID, signal="start")
    world.now += timedelta(minutes=1)
    take(world, token=UUID)
    assert Heartbeat.objects.get().last_duration == 60


def test_the_alert_bears_the_trace_of_the_ping_that_failed(world: World) -> None:
    take(world, token=UUID, signal="failure")
    world.work()
    assert world.incident().trace_id == "trace"


def test_what_is_shown_goes_by_the_clock(world: World) -> None:
    made = make(world, schedule=Schedule(period=60, grace=60))
    assert made.seen_at(world.now) == "new"
    take(world, token=UUID)
    now, found = world.now, Heartbeat.objects.get()
    seconds = (0, 59, 60, 119)
    assert [found.seen_at(now + timedelta(seconds=s)) for s in seconds] == ["up", "up", "late", "late"]
    take(world, token=UUID, signal="start")
    assert Heartbeat.objects.get().seen_at(now) == "running"


def test_acts_on_what_is_gone_are_refused(world: World) -> None:
    for act in (heartbeats.pause, heartbeats.resume, heartbeats.remove):
        with pytest.raises(Unknown):
            act(heartbeat_id=4711, now=world.now)
    made = make(world)
    with pytest.raises(Rejected, match="is not paused"):
        heartbeats.resume(heartbeat_id=made.pk, now=world.now)
    with pytest.raises(Unknown):
        heartbeats.named("nobody")


def test_one_that_never_came_is_new_again_after_a_pause(world: World) -> None:
    made = make(world, schedule=Schedule(period=60))
    heartbeats.pause(heartbeat_id=made.pk, now=world.now)
    heartbeats.resume(heartbeat_id=made.pk, now=world.now)
    found = Heartbeat.objects.get()
    assert (found.state, found.due_at) == ("new", None)


def test_two_workers_tell_once(world: World) -> None:
    take(world, token=UUID, signal="failure")
    assert watch(world.now) == 1
    assert watch(world.now) == 0
