"""Several workers on one PostgreSQL: ``python -m bench.workers``.

Printed are the runs a second of one worker and of two, with no channel to tell, and how long it takes
from a post to the start of its run: with the bell in Redis, by the pipe, and without any.
"""

import argparse
import contextlib
import http.client
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from bench import load
from tests.checkers.servers import redis
from tests.databases import postgres
from tests.machines import Machines

HELD = "held"  # a decision of nobody's: the worker does not see the entry
_SPAN = "SELECT EXTRACT(EPOCH FROM MAX(finished_at) - MIN(created_at)) FROM orchestration_pipelinerun"
_LAGS = """
    SELECT EXTRACT(EPOCH FROM r.created_at - h.received_at) * 1000
    FROM orchestration_pipelinerun r JOIN alerts_alerthistory h ON h.trace_id = r.trace_id"""


class Bench(Machines):
    """One web machine and so many workers, on a PostgreSQL of its own."""

    def __init__(self, url: str, workers: int, **environment: str) -> None:
        super().__init__(url, webs=1, workers=workers, TOCSIN_SOURCE_BUDGET="0", **environment)
        self.run("migrate", "--verbosity", "0")

    def execute(self, sql: str) -> None:
        """Change its database."""
        with psycopg.connect(self.environment["DATABASE_URL"]) as server:
            server.execute(sql.encode())

    def number(self, sql: str) -> float:
        """The one number a query gives."""
        return float(self.query(sql)[0][0])


def runs_a_second(workers: int, count: int) -> float:
    """How fast so many workers work off what waits in the journal."""
    with postgres() as url, Bench(url, workers) as bench:
        bench.start_webs()
        load.post_all(bench.port, count, 100, lambda number: f"waits-{number}")
        bench.execute(f"UPDATE alerts_alerthistory SET decision = '{HELD}'")
        bench.execute("ANALYZE")
        bench.start_workers()
        time.sleep(2)
        bench.execute("UPDATE alerts_alerthistory SET decision = ''")
        done = "SELECT COUNT(*) FROM orchestration_pipelinerun WHERE finished_at IS NOT NULL"
        bench.wait(lambda: bench.number(done) == count, "all runs to end", 120)
        return count / bench.number(_SPAN)


def lag_ms(bell: str, posts: int) -> float:
    """Milliseconds from a post to the start of its run, commit and all: the median."""
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(postgres())
        rung = stack.enter_context(_redis()) if bell == "redis" else ""
        bench = stack.enter_context(Bench(url, 1, REDIS_URL=rung))
        if bell == "pipe":
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            bench.share(folder)
        bench.start()
        connection = http.client.HTTPConnection("127.0.0.1", bench.port)
        for number in range(posts):
            load.post(connection, [load.alert(f"idle-{number}")])
            time.sleep(random.uniform(0.2, 0.6))
        connection.close()
        return statistics.median(float(lag) for (lag,) in bench.query(_LAGS))


@contextmanager
def _redis() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder, redis(folder) as port:
        yield f"redis://127.0.0.1:{port}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="bench.workers", description=__doc__)
    parser.add_argument("--runs", type=int, default=12_000)
    parser.add_argument("--posts", type=int, default=41)
    parser.add_argument("--repeat", type=int, default=3, help="the best counts: others only slow it down")
    options = parser.parse_args()
    rounds = [[runs_a_second(workers, options.runs) for workers in (1, 2)] for _ in range(options.repeat)]
    one, two = (max(rates) for rates in zip(*rounds, strict=True))
    print(f"one worker {one:,.0f} runs/s, two {two:,.0f} runs/s: {two / one:.2f}x", flush=True)
    for bell in ("redis", "pipe", "none"):
        print(f"post to run, bell {bell}: median {lag_ms(bell, options.posts):.1f} ms", flush=True)


if __name__ == "__main__":
    main()
