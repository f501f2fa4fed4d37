"""The ledger of a fault test: what was sent, acknowledged, stored, delivered, doubled, lost."""

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from tests.processes import Tocsin


def alert(instance: str) -> dict[str, Any]:
    """An alert of its own."""
    return {
        "labels": {"alertname": "Ledger", "instance": instance, "severity": "critical"},
        "annotations": {"summary": f"{instance} is down"},
        "endsAt": "2040-01-01T00:00:00Z",
    }


PAUSE = 0.02  # some hundred posts a second in all: what is in flight when a worker dies is sent twice


class Load:
    """Posts distinct alerts from several threads and remembers which were acknowledged."""

    def __init__(self, tocsin: Tocsin, threads: int = 3) -> None:
        self._tocsin = tocsin
        self._numbers = itertools.count()
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(threads)]
        self.sent = 0
        self.acknowledged: set[str] = set()

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            instance = f"host-{next(self._numbers)}"
            self.sent += 1
            if self._tocsin.post([alert(instance)]) == 200:
                self.acknowledged.add(instance)
            time.sleep(PAUSE)


class Ledger:
    """Compares what was acknowledged with what is stored and what arrived."""

    def __init__(self, acknowledged: set[str], stored: Iterable[str], delivered: Iterable[str]) -> None:
        self.acknowledged = acknowledged
        self.stored = set(stored)
        self.delivered = Counter(delivered)

    @property
    def not_stored(self) -> set[str]:
        return self.acknowledged - self.stored

    @property
    def not_delivered(self) -> set[str]:
        return self.stored - set(self.delivered)

    @property
    def doubled(self) -> int:
        """Messages that arrived more than once, each surplus one counted."""
        return sum(count - 1 for count in self.delivered.values())

    def show(self, say: Callable[[str], None], sent: int, kills: int) -> None:
        """Print it."""
        say(
            f"\nledger: sent {sent}, acknowledged {len(self.acknowledged)}, stored {len(self.stored)}, "
            f"delivered {sum(self.delivered.values())}, doubled {self.doubled}, "
            f"lost {len(self.not_stored) + len(self.not_delivered)}, kills {kills}"
        )
