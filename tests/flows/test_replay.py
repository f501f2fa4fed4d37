"""What happened, played again by what is in force: the same comes of it, on every database."""

import json
from pathlib import Path
from typing import Any, Final

import pytest
from django.apps import apps

from tests.cli.run import tocsin
from tests.replaying import assert_same, end, fire, history, past_of, replayed
from tests.world import World
from tocsin.notify.models import Delivery
from tocsin.orchestration import definitions

SECRET: Final = "s3cr3t-that-nobody-may-see"
TELL: Final = {"id": "tell", "type": "notify"}


@pytest.fixture
def past(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> World:
    return past_of(world, monkeypatch, tmp_path)


def dump() -> dict[str, list[Any]]:
    return {model.__name__: [*model._default_manager.order_by("pk").values()] for model in apps.get_models()}


def test_without_a_change_nothing_differs_and_nothing_is_touched(past: World, tmp_path: Path) -> None:
    history(past)
    asked = {"id": "ask", "type": "http", "next": "tell",
             "config": {"url": past.receiver.url, "headers": {"Authorization": SECRET}}}  # fmt: skip
    definitions.put(name="mine", document={"version": "1.0", "nodes": [asked, TELL]}, now=past.now)
    before, received = dump(), len(past.sent)
    present = tocsin("replay", "--print-config")
    assert SECRET not in present and past.receiver.url in present
    found = replayed(tmp_path, **json.loads(present))
    assert_same(found)
    assert (dump(), len(past.sent)) == (before, received)
    assert found["recorded"]["incidents"] == found["difference"]["incidents"]["before"] == 3
    # As it was recorded: with what people did, and with an answer to nobody.
    assert found["recorded"]["messages"] == {"hook": Delivery.objects.count()}
    assert found["difference"]["messages"] == {"hook": {"before": received, "after": received}}
    assert found["notes"] == [
        "The record begins at 2026-11-21 12:00:00 UTC; what came before is not there any more."
    ]


def test_what_was_before_the_time_that_is_asked_for(past: World, tmp_path: Path) -> None:
    history(past)
    fire(past, "Disk", "web-1")
    fire(past, "Disk", "web-2")
    past.forward(hours=2)
    end(past, "Disk", "web-1")
    past.forward(minutes=10)
    options = ("--since", "1h", "--until", "5m")
    found = replayed(tmp_path, *options)
    assert_same(found)
    assert found["difference"]["incidents"] == {"before": 0, "after": 0}
    assert found["difference"]["messages"] == {"hook": {"before": 1, "after": 1}}
    assert found["recorded"]["messages"] == {"hook": 1}
    assert found["notes"] == []
    merged = replayed(tmp_path, *options, settings={"TOCSIN_GROUP_BY": "alertname"})["difference"]
    assert [(one["kind"], one["incident"]) for one in merged["fewer"]] == [("resolved", "Disk on web-1")]
