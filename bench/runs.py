"""What a run itself costs: ``python -m bench.runs``, on SQLite or on ``--database URL``.

News of incidents is walked through the four stages in batches, as the worker does, with no channel to
tell. Then the same with more nodes in between, for what a node adds.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import django
from django.core.management import call_command

MUST_RUNS, MUST_NODE_MS = 1_000, 1.0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="bench.runs", description=__doc__)
    parser.add_argument("--database", default="", help="a DATABASE_URL; SQLite where it is not given")
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--batch", type=int, default=200, help="runs walked together")
    parser.add_argument("--nodes", type=int, default=20, help="more nodes for the second measurement")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"TOCSIN_DATA_DIR": folder, "DJANGO_SETTINGS_MODULE": "tocsin.settings"}
        os.environ["DATABASE_URL"] = options.database
        django.setup()
        call_command("migrate", verbosity=0)
        plain = _seconds(options.runs, options.batch, 0)
        longer = _seconds(options.runs, options.batch, options.nodes)
    print(f"four stages: {options.runs / plain:,.0f} runs/s (must {MUST_RUNS:,})")
    each = (longer - plain) / options.runs / options.nodes * 1_000
    print(f"a node adds {each:.3f} ms (must {MUST_NODE_MS:g})")


def _seconds(runs: int, batch: int, more: int) -> float:
    from tocsin.checkers.services import CheckSet
    from tocsin.db.work import Worker
    from tocsin.orchestration import engine

    now, worker, checks = datetime.now(UTC), Worker(), CheckSet()
    checks.run()
    _define(more, now)
    took = 0.0
    for news in _batches(runs, batch, now):
        began = time.perf_counter()
        token = worker.token()
        engine.advance(engine.start(news, now, token), token, now, checks, {})
        took += time.perf_counter() - began
        checks.taken_at = time.monotonic()
    return took


def _define(more: int, now: datetime) -> None:
    """The four stages, and conditions before the last of them."""
    from tocsin.orchestration import definitions
    from tocsin.orchestration.definition import STAGES

    nodes: list[dict[str, Any]] = [dict(node) for node in STAGES["nodes"]]
    names = [f"more{number}" for number in range(more)] + ["NOTIFY"]
    nodes[2]["next"] = names[0]
    config = {"expression": "incident.severity == 'critical'"}
    nodes[3:3] = [
        {"id": name, "type": "condition", "config": config, "next": after, "otherwise": after}
        for name, after in zip(names, names[1:], strict=False)
    ]
    definitions.put(name="bench", document={"version": "1.0", "nodes": nodes}, priority=1, now=now)


def _batches(runs: int, batch: int, now: datetime) -> Iterator[list[Any]]:
    from tocsin.alerts.models import Incident
    from tocsin.alerts.news import ChangedAlert, News

    incident = Incident.objects.create(
        title="bench",
        severity="critical",
        opened_at=now,
        updated_at=now,
        trace_id="bench",
        labels={"alertname": "bench"},
    )
    change = ChangedAlert(
        1, "fired", "f", "bench", "critical", {"alertname": "bench"}, {"summary": "so it is"}, "", now, None
    )
    one = News(
        incident.pk, "bench", "open", "critical", incident.labels, 1, 1, now, "bench", "fired", [change]
    )
    for start in range(0, runs, batch):
        yield [one] * min(batch, runs - start)


if __name__ == "__main__":
    main()
