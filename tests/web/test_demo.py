"""The demo: believable, steady, and gone without a trace when it is told to stop."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice

import msgspec
import pytest

from tests.processes import Tocsin
from tests.world import World
from tocsin.core import clock, severity
from tocsin.notify import services
from tocsin.notify.models import NotificationChannel
from tocsin.web.demo import posting
from tocsin.web.demo.catalogue import TROUBLES
from tocsin.web.demo.tale import LONGEST, SHORTEST, Beat, Tale


def played(count: int) -> list[Beat]:
    return list(islice(Tale().beats(), count))


def test_the_tale_is_the_same_each_time() -> None:
    assert played(50) == played(50)


def test_the_opening_shows_all_that_can_happen() -> None:
    beats = played(6)
    tellings = [telling for beat in beats for telling in beat.tellings]
    assert sum(beat.wait for beat in beats) < 60
    assert len([telling for telling in tellings if telling.status == "firing"]) >= 12
    assert len({telling.trouble.service for telling in tellings}) >= 6
    assert {telling.severity for telling in tellings} == {*severity.RANK}
    assert {telling.trouble.source for telling in tellings} == {*posting.PATHS}
    places = [(telling.trouble.name, telling.where, telling.status) for telling in tellings]
    ended = [(name, where) for name, where, status in places if status == "resolved"]
    assert ended
    name, where = ended[0]
    assert places.count((name, where, "firing")) == 2, "one fires again"


def test_it_goes_on_and_on_and_nothing_piles_up() -> None:
    tale = Tale()
    for place, beat in enumerate(islice(tale.beats(), 500)):
        assert beat.tellings
        if place > 6:
            assert SHORTEST <= beat.wait <= LONGEST
            assert len(tale.firing) < 16
    assert len(tale.firing) > 2


def test_texts_are_whole() -> None:
    for beat in played(300):
        for telling in beat.tellings:
            assert "{" not in telling.text
            assert telling.trouble in TROUBLES


@pytest.mark.parametrize("source", posting.PATHS)
def test_each_tool_is_understood(source: str, world: World) -> None:
    world.channel()
    now = clock.now()
    first = next(t for t in played(1)[0].tellings if t.trouble.source == source)
    world.now = now
    world.post(posting._PAYLOADS[source]([first], now), source)
    world.work()
    over = posting._PAYLOADS[source]([msgspec.structs.replace(first, status="resolved")], now)
    world.post(over, source)
    world.work()
    assert world.kinds() == ["firing", "resolved"]
    assert world.sent[0]["severity"] == first.severity
    assert world.sent[0]["title"] == f"{first.trouble.name} on {first.where}"
    assert first.text in world.sent[0]["alerts"][0]["annotations"].values()
    assert world.sent[0]["runbook"] == first.trouble.runbook


@contextmanager
def demo(tocsin: Tocsin) -> "Iterator[tuple[subprocess.Popen[str], list[str]]]":
    """The child as ``tocsin up --demo`` starts it, and the lines it prints."""
    command, lines = [sys.executable, "-m", "tocsin", "demo"], list[str]()
    with subprocess.Popen(
        command, env=tocsin.environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        assert process.stdout is not None
        reader = threading.Thread(target=lines.extend, args=(process.stdout,))
        reader.start()
        try:
            yield process, lines
        finally:
            process.kill()
            reader.join()


def test_beside_a_running_installation() -> None:
    with Tocsin() as tocsin, demo(tocsin) as (process, lines):
        tocsin.wait(lambda: sum("FIRING" in line for line in lines) >= 10, "messages at the sink")
        enabled = "SELECT name, driver, enabled FROM notify_notificationchannel"
        assert tocsin.query(enabled) == [("demo", "webhook", 1)]
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0, lines
        assert tocsin.query(enabled) == [("demo", "webhook", 0)]


def test_where_the_door_asks_for_a_key() -> None:
    with Tocsin(WEBHOOK_SECRET_GENERIC="s3cret") as tocsin, demo(tocsin) as (process, lines):
        tocsin.wait(lambda: any("BackupFailed" in line for line in lines), "the generic driver's alert")
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0, lines


def test_its_channel_follows_the_sink(transactional_db: None) -> None:
    for port in (1111, 2222):
        services.put_channel(
            name="demo", driver="webhook", given={"url": f"http://127.0.0.1:{port}/"}, now=clock.now()
        )
        services.enable_channel(name="demo", enabled=False)
    services.put_channel(name="demo", driver="webhook", given={"url": "http://127.0.0.1:3/"}, now=clock.now())
    channel = NotificationChannel.objects.get()
    assert channel.enabled and channel.config == {"url": "http://127.0.0.1:3/"}
