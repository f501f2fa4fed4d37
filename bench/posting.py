"""What a post costs the web process: its event loop, which reads, beside its other threads, which write."""

import os
import subprocess
import time
from typing import Final

from bench import load
from bench.meter import Database, threads
from bench.way_in import Web

SECONDS: Final = 4
ALERTS: Final = {"single": 1, "batch": 100, "resent": 64}  # in a post of each kind


class Door(Web):
    """A web process alone, on the database that ``DATABASE_URL`` names."""

    def _start(self) -> "subprocess.Popen[bytes]":
        os.environ["TOCSIN_OUTBOUND_ALLOW"] = "127.0.0.0/8"
        return super()._start()


def posts(database: Database) -> dict[str, dict[str, float]]:
    """Microseconds a post of each kind: in the event loop, in the other threads, in the database; and how
    many alerts a second that was."""
    found = {}
    with Door() as door:
        load.run("resent", door.port, 1)  # so that these are known
        for kind in ALERTS:
            found[kind] = _of(kind, door, database)
            time.sleep(1.5)  # what was heard of again is noted within a second
    return found


def _of(kind: str, door: Door, database: Database) -> dict[str, float]:
    reading, writing = threads(door.process.pid)
    there = database.seconds()
    per_second, count = load.run(kind, door.port, SECONDS)
    read, written = threads(door.process.pid)
    return {
        "loop_us": round((read - reading) / count * 1e6, 1),
        "writer_us": round((written - writing) / count * 1e6, 1),
        "db_us": round((database.seconds() - there) / count * 1e6, 1),
        "alerts_per_second": round(per_second * ALERTS[kind]),
    }
