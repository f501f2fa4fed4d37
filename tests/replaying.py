"""An hour of alerts, and how to have it replayed."""

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.cli.run import tocsin_json
from tests.world import World
from tocsin.alerts.models import Incident
from tocsin.core import clock
from tocsin.orchestration import services


def past_of(world: World, monkeypatch: pytest.MonkeyPatch, folder: Path) -> World:
    """A world whose clock is the commands' too, with a channel, and a place for what is thrown away."""
    world.channel("hook")
    monkeypatch.setattr(clock, "now", lambda: world.now)
    (folder / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder / "temporary"))
    return world


def written(folder: Path, changes: Any) -> str:
    (folder / "replay.json").write_text(json.dumps(changes))
    return str(folder / "replay.json")


def replayed(folder: Path, *options: str, **changes: Any) -> Any:
    """What a file of changes would have made otherwise."""
    found = tocsin_json("replay", "--config", written(folder, changes), *options)
    assert [*(folder / "temporary").iterdir()] == []
    return found


def fire(world: World, name: str = "HighCPU", instance: str = "web-1", **fields: Any) -> None:
    world.fire(name, instance, **fields)
    world.forward(seconds=30)


def end(world: World, name: str = "HighCPU", instance: str = "web-1") -> None:
    world.resolve(name, instance)
    world.forward(seconds=30)


def history(world: World) -> None:
    """An hour: three machines, of which one grows worse and one is taken on and comes back."""
    for instance in ("web-1", "web-2", "db-1"):
        fire(world, instance=instance, severity="warning")
    fire(world, instance="web-2", severity="critical")
    first = Incident.objects.get(title="HighCPU on web-1")
    services.acknowledge(incident_id=first.pk, actor="Bo", now=world.now)
    world.forward(minutes=5)
    for instance in ("web-1", "web-2"):
        end(world, instance=instance)
    fire(world, instance="web-1")
    world.forward(minutes=10)
    third = Incident.objects.get(title="HighCPU on db-1")
    services.resolve(incident_id=third.pk, actor="Bo", now=world.now)
    world.forward(minutes=20)
    end(world, instance="web-1")
    world.forward(minutes=20)


def assert_same(found: Any) -> None:
    difference = found["difference"]
    for name in ("regrouped", "fewer", "more", "moved"):
        assert difference[name] == [], name
    for one in (*difference["messages"].values(), *difference["hidden"].values(), difference["incidents"]):
        assert one["before"] == one["after"]
