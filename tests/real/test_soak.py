"""Prometheus sends to Tocsin for a while, rules firing and ending meanwhile: nothing is lost or doubled.

``TOCSIN_SOAK_SECONDS`` says for how long; 20 where it is not set.
"""

import json
import os
import re
import time
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any, Final

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.processes import Tocsin
from tests.real.prometheus import Prometheus, Target, prometheus, target

pytestmark = pytest.mark.real

SECONDS: Final = float(os.environ.get("TOCSIN_SOAK_SECONDS", "20"))
STEP: Final = 0.5
QUEUES: Final = 6
LEVELS: Final = (0, 50, 500, 50)


def _rule(name: str, expression: str, severity: str) -> dict[str, Any]:
    told = {"summary": name + " on {{ $labels.instance }}: {{ $value }}"}  # another one with each value
    return {"alert": name, "expr": expression, "labels": {"severity": severity}, "annotations": told}


RULES: Final = {
    "groups": [
        {
            "name": "shop",
            "interval": "1s",
            "rules": [
                _rule("QueueLong", "queue_length > 10", "warning"),
                _rule("CheckoutDown", "checkout_up == 0", "critical"),
            ],
        },
        {"name": "slow", "interval": "2s", "rules": [_rule("QueueStuck", "queue_length > 100", "critical")]},
    ]
}
SERIES: Final = QUEUES * 2 + 1


def test_prometheus_sends_for_a_while(tmp_path: Path) -> None:
    with (
        Tocsin(TOCSIN_CLOSE_AFTER="86400") as tocsin,
        target() as scraped,
        prometheus(tmp_path, scraped.port, tocsin.port, RULES) as running,
    ):
        _go_up_and_down(scraped)
        _set(scraped, 500, checkout_up=0)
        tocsin.wait(lambda: _standing(tocsin) == {"firing": SERIES}, "all to fire", 60)
        _set(scraped, 0, checkout_up=1)
        tocsin.wait(lambda: _standing(tocsin) == {"resolved": SERIES}, "all to be over", 60)
        _nothing_went_wrong(running, tocsin)
        _each_is_held_once(running, tocsin)


def _go_up_and_down(scraped: Target) -> None:
    """Each queue in a rhythm of its own."""
    began = time.monotonic()
    while (passed := time.monotonic() - began) < SECONDS:
        step = int(passed)
        for number in range(QUEUES):
            scraped.values[_queue(number)] = LEVELS[step // (number + 2) % len(LEVELS)]
        scraped.values["checkout_up"] = step // 7 % 2
        time.sleep(STEP)


def _set(scraped: Target, length: float, checkout_up: int) -> None:
    scraped.values.update({_queue(number): length for number in range(QUEUES)}, checkout_up=checkout_up)


def _queue(number: int) -> str:
    return f'queue_length{{instance="queue-{number}"}}'


def _standing(tocsin: Tocsin) -> dict[str, int]:
    return dict(tocsin.query("SELECT status, COUNT(*) FROM alerts_alert GROUP BY status"))


def _nothing_went_wrong(running: Prometheus, tocsin: Tocsin) -> None:
    assert running.counted("prometheus_notifications_errors_total") == 0
    assert running.counted("prometheus_notifications_dropped_total") == 0
    assert running.counted("prometheus_notifications_sent_total") > SERIES * SECONDS / 8
    assert not re.findall(r"^.*level=(?:warn|error).*$", running.log.read_text(), re.M)
    tocsin.wait(lambda: set(_posts(tocsin)) == {"200"}, "the counts of posts")
    assert "Traceback" not in "".join(tocsin.output)


def _posts(tocsin: Tocsin) -> dict[str, float]:
    """How many posts were answered with each status."""
    with urllib.request.urlopen(f"{tocsin.url}/metrics", timeout=10) as answer:
        families = text_string_to_metric_families(answer.read().decode())
    samples = [sample for family in families for sample in family.samples]
    return {
        sample.labels["status"]: sample.value
        for sample in samples
        if sample.name == "tocsin_intake_posts_total" and sample.labels["source"] == "prometheus"
    }


def _each_is_held_once(running: Prometheus, tocsin: Tocsin) -> None:
    """As often as Prometheus says that each fired, it fired here, and ended as often."""
    minutes = int(SECONDS / 60) + 5
    fired = {
        (found["metric"]["alertname"], found["metric"]["instance"]): len({at for _, at in found["values"]})
        for found in running.query(f"ALERTS_FOR_STATE[{minutes}m]")
    }
    assert len(fired) == SERIES
    rows = tocsin.query("SELECT name, labels, episode FROM alerts_alert")
    assert {(name, json.loads(labels)["instance"]): episode for name, labels, episode in rows} == fired
    assert len(rows) == SERIES
    kinds = Counter(dict(tocsin.query("SELECT kind, COUNT(*) FROM alerts_alerthistory GROUP BY kind")))
    times = sum(fired.values())
    assert kinds == Counter(fired=SERIES, refired=times - SERIES, resolved=times)
    assert tocsin.query("SELECT COUNT(*) FROM alerts_incident") == [(SERIES,)]
    asked = (
        "SELECT incident_id FROM alerts_alert GROUP BY incident_id HAVING COUNT(*) > 1 OR incident_id IS NULL"
    )
    assert tocsin.query(asked) == []
