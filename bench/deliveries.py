"""How fast one worker sends, and what a channel that hangs costs the others: ``python -m bench.deliveries``,
on SQLite or on ``--database URL``.

First so many messages are due at once. Then some come each second, alone and beside as many for a channel
whose receiver never answers.
"""

import argparse
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import django
from django.core.management import call_command

MUST_RATE, MUST_RATIO = 3_000, 1.10
TURN_SECONDS = 0.02


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="bench.deliveries", description=__doc__)
    parser.add_argument("--database", default="", help="a DATABASE_URL; SQLite where it is not given")
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--each-second", type=int, default=300)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3, help="of the second measurement, in turns")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, _sink() as port:
        os.environ |= {
            "TOCSIN_DATA_DIR": folder, "DJANGO_SETTINGS_MODULE": "tocsin.settings",
            "TOCSIN_OUTBOUND_ALLOW": "127.0.0.0/8", "LOG_LEVEL": "ERROR",
        }  # fmt: skip
        os.environ["DATABASE_URL"] = options.database
        django.setup()
        call_command("migrate", verbosity=0)
        good, hanging = (
            _channel("good", f"http://127.0.0.1:{port}/"),
            _channel("dead", f"http://127.0.0.1:{port}/hang"),
        )
        with _worker():
            rate = _rate(good, options.messages)
            print(f"{options.messages:,} messages: {rate:,.0f}/s (must {MUST_RATE:,})", flush=True)
            alone, beside = [], []
            for _ in range(options.rounds):
                alone.append(_p99([good], options.each_second, options.seconds))
                beside.append(_p99([good, hanging], options.each_second, options.seconds))
    before, after = statistics.median(alone), statistics.median(beside)
    print(
        f"p99 from due to sent at {options.each_second}/s: {before:.0f} ms alone, {after:.0f} ms beside a "
        f"channel that hangs: {after / before:.2f}x (must {MUST_RATIO:g}x)"
    )


def _channel(name: str, url: str) -> int:
    from tocsin.notify import services

    now = datetime.now(UTC)
    channel = services.add_channel(name=name, driver="webhook", given={"url": url}, now=now)
    return int(channel.pk)


def _insert(channel_id: int, count: int) -> None:
    from tocsin.core.ids import new_id
    from tocsin.db import bulk
    from tocsin.notify import rows, services

    now = datetime.now(UTC)
    stamp = bulk.moment(now)
    messages = [services.test_message(now, new_id()) for _ in range(count)]
    with bulk.transaction():
        rows.insert([rows.row(m, channel_id, None, m.id, "", stamp, stamp) for m in messages])


def _rate(channel_id: int, count: int) -> float:
    _insert(channel_id, count)
    began = time.perf_counter()
    while _unsent(channel_id):
        time.sleep(0.02)
    return count / (time.perf_counter() - began)


def _unsent(channel_id: int) -> int:
    from tocsin.notify.models import Delivery

    return Delivery.objects.filter(channel_id=channel_id, due_at__isnull=False).count()


def _p99(channel_ids: list[int], each_second: int, seconds: int) -> float:
    """Of the first channel's messages, in ms."""
    from tocsin.core import doorbell
    from tocsin.notify.models import Delivery

    since, began = datetime.now(UTC), time.monotonic()
    made = 0
    while (passed := time.monotonic() - began) < seconds:
        wanted = int(passed * each_second) - made
        if wanted > 0:
            for channel_id in channel_ids:
                _insert(channel_id, wanted)
            made += wanted
            doorbell.ring()
        time.sleep(TURN_SECONDS)
    while _unsent(channel_ids[0]):
        time.sleep(0.05)
    times = Delivery.objects.filter(channel_id=channel_ids[0], created_at__gte=since)
    waits = sorted((row.sent_at - row.created_at).total_seconds() for row in times if row.sent_at)
    return float(waits[int(len(waits) * 0.99)] * 1000)


@contextmanager
def _sink() -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    with _process(["-m", "bench.sink", str(port)]):
        time.sleep(1)
        yield port


@contextmanager
def _worker() -> Iterator[None]:
    with _process(["-m", "tocsin", "worker"]):
        time.sleep(3)
        yield


@contextmanager
def _process(arguments: list[str]) -> Iterator[None]:
    process = subprocess.Popen([sys.executable, *arguments])
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()


if __name__ == "__main__":
    main()
