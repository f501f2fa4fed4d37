"""Recorded alerts through changed configurations: what would have been otherwise."""

import os
import signal
import stat
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from tests.replaying import assert_same, end, fire, history, past_of, replayed, written
from tests.world import World
from tocsin.alerts import silences, sources
from tocsin.alerts.models import Alert, AlertHistory, Incident
from tocsin.alerts.silences import Wanted
from tocsin.core.matchers import parse
from tocsin.notify import routes
from tocsin.orchestration import definitions
from tocsin.orchestration.replay.play import replay

SECRET: Final = "s3cr3t-that-nobody-may-see"
TELL: Final = {"id": "tell", "type": "notify"}


@pytest.fixture
def past(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> World:
    return past_of(world, monkeypatch, tmp_path)


def test_grouped_by_less_incidents_merge(past: World, tmp_path: Path) -> None:
    fire(past, instance="web-1")
    fire(past, instance="web-2")
    end(past, instance="web-1")
    end(past, instance="web-2")
    past.forward(minutes=10)
    found = replayed(tmp_path, settings={"TOCSIN_GROUP_BY": ["alertname"]})["difference"]
    assert found["incidents"] == {"before": 2, "after": 1}
    (merged,) = found["regrouped"]
    assert (merged["kind"], merged["moved"]) == ("merged", ["HighCPU on web-2"])
    assert [one["title"] for one in merged["before"]] == ["HighCPU on web-1", "HighCPU on web-2"]
    assert [(one["title"], one["alerts"]) for one in merged["after"]] == [("HighCPU", 2)]
    (fewer,) = found["fewer"]
    assert (fewer["kind"], fewer["incident"], fewer["at"]) == (
        "resolved", "HighCPU on web-1", "2026-11-21T12:01:00Z"
    )  # fmt: skip
    assert fewer["why"] == "ended; 1 other alerts of its incident still fire, so no message"


def test_silenced_turned_off_and_led_elsewhere(past: World, tmp_path: Path) -> None:
    past.channel("chat")
    fire(past, severity="warning")
    fire(past, instance="web-2", severity="critical")
    fire(past, "Backup", severity="critical")
    past.forward(minutes=1)
    fork = {"id": "bad", "type": "condition", "next": "tell", "config": {"matchers": ["severity=critical"]}}
    found = replayed(
        tmp_path,
        channels={"chat": None},
        definitions={"mine": {"definition": {"version": "1.0", "nodes": [fork, TELL]}}},
        silences={"night": {"matchers": ["alertname=Backup"], "comment": "at night"}},
    )["difference"]
    assert found["incidents"] == {"before": 3, "after": 3}
    assert found["messages"] == {"chat": {"before": 3, "after": 0}, "hook": {"before": 3, "after": 1}}
    assert found["hidden"]["silenced"] == {"before": 0, "after": 1}
    assert (found["regrouped"], found["more"]) == ([], [])
    whys = {(one["channel"], one["incident"]): one["why"] for one in found["fewer"]}
    assert len(whys) == 5
    assert whys["chat", "HighCPU on web-2"] == "there is no such channel, or it is off"
    assert whys["hook", "Backup on web-1"].endswith('silence night ("at night") matches it')
    assert ("hook", "HighCPU on web-1") in whys


def test_a_silence_that_was_and_its_end(past: World, tmp_path: Path) -> None:
    made = silences.put(
        wanted=Wanted(parse("alertname=HighCPU"), past.now, past.now + timedelta(minutes=5)), now=past.now
    )
    fire(past)
    past.forward(minutes=10)
    assert past.kinds() == ["firing"]
    found = replayed(tmp_path, silences={made: None})["difference"]
    assert [(one["at"], one["reason"]) for one in found["more"]] == [("2026-11-21T12:00:00Z", "fired")]
    assert [(one["at"], one["reason"]) for one in found["fewer"]] == [("2026-11-21T12:05:00Z", "unsilenced")]


def test_routed_otherwise_than_by_the_routes_in_force(past: World, tmp_path: Path) -> None:
    past.channel("chat")
    night = {"matchers": ["alertname=Backup"], "channels": ["chat"]}
    routes.put(given={"route": {"channels": ["hook"], "routes": [night]}}, made_by="Bo", now=past.now)
    for instance in ("web-1", "web-2"):
        fire(past, "Backup", instance)
        fire(past, "Disk", instance)
    past.forward(minutes=1)
    tree = {"route": {"channels": ["hook"], "group_by": ["alertname"]}}
    found = replayed(tmp_path, routing=tree)["difference"]
    assert found["messages"] == {"chat": {"before": 2, "after": 0}, "hook": {"before": 2, "after": 4}}
    assert found["incidents"] == {"before": 4, "after": 2}
    assert {one["incident"] for one in found["more"]} == {"Backup"}


def test_budgets_of_all_and_of_a_source(past: World, tmp_path: Path) -> None:
    sources.create_source(name="shop", labels={"team": "web"}, now=past.now)
    for sender in ("", "shop"):
        alerts = [{"name": "Down", "labels": {"instance": f"{sender}{n}", "team": "web"}} for n in range(6)]
        past.post(alerts, sender=sender)
    past.work()
    past.forward(minutes=1)
    found = replayed(
        tmp_path,
        settings={"TOCSIN_SOURCE_BUDGET": 4},
        sources={"shop": {"budget": 2, "labels": {"team": "shop"}}},
        definitions={"mine": {"definition": {"version": "1.0", "nodes": [TELL]}, "matchers": ["team=web"]}},
    )["difference"]
    assert found["incidents"] == {"before": 12, "after": 4 + 1 + 2 + 1}
    assert found["hidden"] == {"folded": {"before": 0, "after": 1 + 3}}
    assert {one["after"][0]["title"] for one in found["regrouped"] if one["kind"] == "merged"} == {
        "Storm of alerts from generic", "Storm of alerts from shop"
    }  # fmt: skip


def test_what_is_gone_is_told_and_passed_over(past: World, tmp_path: Path) -> None:
    history(past)
    gone = Incident.objects.get(title="HighCPU on web-2")
    Alert.objects.filter(incident=gone).delete()
    gone.delete()
    Incident.objects.filter(title="HighCPU on db-1").delete()
    assert AlertHistory.objects.filter(incident=None).count() == 5
    found = replayed(tmp_path)
    assert_same(found)
    assert found["difference"]["incidents"]["before"] == 2
    assert "4 entries could not be played" in found["notes"][1]


def test_who_waits_and_who_asks_does_so_in_the_play(past: World, tmp_path: Path) -> None:
    """Nothing is asked and nobody answers; what waits goes on when its time has come."""

    def mine(seconds: int) -> Any:
        nodes = [
            {"id": "page", "type": "http", "next": "look", "config": {"url": past.receiver.url}},
            {"id": "look", "type": "check", "next": "pause", "config": {"checker": "cpu"}},
            {"id": "pause", "type": "wait", "next": "ask", "config": {"seconds": seconds}},
            {"id": "ask", "type": "approval", "otherwise": "tell", "config": {"seconds": 60}},
            TELL,
        ]  # fmt: skip
        return {"mine": {"priority": 1, "definition": {"version": "1.0", "nodes": nodes}}}

    definitions.put(name="mine", document=mine(60)["mine"]["definition"], priority=1, now=past.now)
    fire(past)
    past.forward(minutes=1)
    past.forward(minutes=1)
    past.forward(minutes=10)
    asked = len(past.receiver.received)
    found = replayed(tmp_path, definitions=mine(120))
    assert len(past.receiver.received) == asked
    (moved,) = found["difference"]["moved"]
    assert (moved["at"], moved["instead_at"]) == ("2026-11-21T12:02:00Z", "2026-11-21T12:03:00Z")
    assert (found["difference"]["fewer"], found["difference"]["more"]) == ([], [])


class _Interrupted(Exception):
    pass


def test_an_interrupted_replay_leaves_nothing(past: World, tmp_path: Path) -> None:
    """However it ends, folders go; while they are there nobody else may look into them."""
    for _ in range(501):
        past.fire(instance=f"web-{_}")
        past.resolve(instance=f"web-{_}")
    seen: list[int] = []

    def interrupt(*_: object) -> None:
        for folder in (tmp_path / "temporary").rglob("*"):
            if folder.is_dir():
                seen.append(stat.S_IMODE(folder.stat().st_mode))
        raise _Interrupted

    with pytest.raises(_Interrupted):
        replay(
            Path(written(tmp_path, {})), past.now - timedelta(days=1), past.now + timedelta(days=1), interrupt
        )
    assert set(seen) == {0o700}
    assert [*(tmp_path / "temporary").iterdir()] == []


@pytest.mark.parametrize("lines", ["", "End(datetime.now(UTC))"], ids=["fed nothing", "fed all"])
def test_a_killed_replay_leaves_nothing_either(tmp_path: Path, lines: str) -> None:
    """Who plays sees that nobody feeds it any more, or that nobody waits for what it found."""
    code = f"""
from datetime import UTC, datetime
import django, os; django.setup()
from tocsin.orchestration.replay.configuration import Configuration
from tocsin.orchestration.replay.lines import End, Orders
from tocsin.orchestration.replay.processes import feed, theatres
empty: dict = dict()
orders = Orders(Configuration(empty, empty, empty, empty, empty), datetime.now(UTC), empty)
with theatres(orders, orders) as both:
    feed(both, [{lines}])
    for one in both:
        one._feed.flush()
    print("up", flush=True)
    import time; time.sleep(600)
"""
    places = {
        "TMPDIR": str(tmp_path),
        "TOCSIN_DATA_DIR": str(tmp_path / "data"),
        "DJANGO_SETTINGS_MODULE": "tocsin.settings",
    }
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, env={**os.environ, **places}
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == b"up\n"
        assert [*tmp_path.glob("tocsin-replay-*")]
        running.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 120
    while [*tmp_path.glob("tocsin-replay-*")]:
        assert time.monotonic() < deadline, [*tmp_path.rglob("*")]
        time.sleep(0.05)
