"""One definition of every type of node, with branches side by side that join: walked while its caller waits,
walked by a worker, and resumed where it failed."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final

import msgspec
import pytest
from django.db import connection
from django.test import Client

from tests.api.test_monitors import holder
from tests.fakes.receiver import Answer, Received
from tests.flows.test_run_command import Machine
from tests.world import World
from tocsin.core import clock
from tocsin.orchestration import definitions, services
from tocsin.orchestration.models import PipelineRun, StageExecution
from tocsin.orchestration.nodes import nodes

START: Final = "/orchestration/pipeline/"
ALERT: Final = {"name": "ShopDown", "severity": "critical", "labels": {"instance": "web-1", "unit": "nginx"}}
SECONDS: Final = 30.0
# What is left once each when all goes well, and by which way. What is asked of the clock is answered late.
WAYS: Final = {
    "came": "next", "state": "next", "findings": "next", "owner": "next", "clock": "failed", "late": "next",
    "page": "next", "good": "next", "pause": "next", "ask": "next", "do": "next", "call": "next",
    "join": "next", "tell": "next",
}  # fmt: skip


def document(url: str) -> dict[str, Any]:
    """Three branches: what this machine says, what others say, and one that fails and goes on."""
    command = {"instance": "{{ alerts[0].labels.instance }}", "command": "restart",
               "arguments": {"unit": "{{ alerts[0].labels.unit }}"}}  # fmt: skip
    lookup = {
        "url": f"{url}/owner",
        "headers": {"X-Key": "k"},
        "labels": {"team": "team"},
        "cache_seconds": 0,
    }
    found = {"team": "incident.labels.team", "said": "nodes.do.output", "late": "nodes.late.why",
             "checks": "keys(nodes.state.checks)"}  # fmt: skip
    return {"version": "1.0", "nodes": [
        {"id": "came", "type": "ingest", "next": ["state", "owner", "clock"]},
        {"id": "state", "type": "context", "next": "findings"},
        {"id": "findings", "type": "intelligence", "next": "join"},
        {"id": "clock", "type": "http", "config": {"url": f"{url}/clock"}, "next": "join", "timeout": 0.2,
         "retry": {"tries": 1}, "on_failure": "late"},
        {"id": "late", "type": "transform", "config": {"expressions": {"why": "nodes.clock.error"}},
         "next": "join"},
        {"id": "owner", "type": "enrich", "config": {"lookup": lookup}, "next": "page"},
        {"id": "page", "type": "check", "config": {"checker": "http", "options": {"url": f"{url}/page"}},
         "next": "good"},
        {"id": "good", "type": "condition", "config": {"expression": "nodes.page.status == 'ok'"},
         "next": "pause", "otherwise": "never"},
        {"id": "pause", "type": "wait", "config": {"seconds": 0.01}, "next": "ask"},
        {"id": "ask", "type": "approval", "next": "do", "otherwise": "never"},
        {"id": "do", "type": "run_command", "config": command, "next": "call", "otherwise": "never"},
        {"id": "call", "type": "http", "config": {"url": f"{url}/call", "method": "POST"},
         "retry": {"tries": 2, "first_seconds": 0}, "timeout": 10, "next": "join"},
        {"id": "join", "type": "transform", "config": {"expressions": found}, "next": "tell"},
        {"id": "tell", "type": "notify"},
        {"id": "never", "type": "ingest"},
    ]}  # fmt: skip


class Installation:
    """A world whose clock goes by itself, with a server that is asked and people who answer."""

    def __init__(self, world: World, client: Client) -> None:
        self.world, self.client = world, holder(client, "write")
        self.world.now = clock.now()
        self.machine = Machine(world)
        self.call: list[Answer] = []  # what it answers to the call before all is well
        url = world.receiver.url.removesuffix("/hook")
        world.channel()
        world.receiver.answer_to = self._answer
        definitions.put(name="every", document=document(url), now=world.now)

    def _answer(self, asked: Received) -> Answer:
        if asked.path == "/call" and self.call:
            return self.call.pop(0)
        if asked.path == "/clock":
            return Answer(delay=1)
        return Answer(body=msgspec.json.encode({"team": "sre"}))

    def post(self, path: str, given: Any = None, status: int = 202) -> Any:
        body = b"" if given is None else msgspec.json.encode(given)
        answer = self.client.post(path, body, "application/json")
        assert answer.status_code == status, answer.content
        return answer.json()

    def turn(self) -> None:
        """A worker's turn, and then what the people and the machine do whom it waits for."""
        self.world.now = clock.now() + timedelta(seconds=1)  # after all that a caller may have begun
        self.world.work()
        for asked in StageExecution.objects.filter(stage="ask", state=StageExecution.WAITING):
            if "approved" not in asked.output:
                services.approve(
                    run_id=asked.run_id, node="ask", approved=True, actor="ann", now=self.world.now
                )
        for command in self.machine.take():
            self.machine.tell(command, output="restarted")

    def work_until_over(self) -> PipelineRun:
        until = time.monotonic() + SECONDS
        while PipelineRun.objects.filter(due_at__isnull=False).exists():
            assert time.monotonic() < until, [*StageExecution.objects.values_list("stage", "state", "error")]
            self.turn()
        return PipelineRun.objects.get()

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """All of them beside whoever waits."""
        over = threading.Event()

        def work() -> None:
            while not over.is_set():
                self.turn()
                time.sleep(0.02)
            connection.close()

        beside = threading.Thread(target=work)
        beside.start()
        try:
            yield
        finally:
            over.set()
            beside.join()

    @property
    def asked(self) -> Counter[str]:
        """How often the server was asked for what, but for what it answers too late."""
        return Counter(one.path for one in self.world.receiver.received if one.path != "/clock")


@pytest.fixture
def installation(world: World, client: Client) -> Installation:
    return Installation(world, client)


def left() -> dict[str, str]:
    """The nodes that were left, each by which way; none of them twice."""
    rows = list(StageExecution.objects.exclude(exit="").values_list("stage", "exit"))
    assert len(dict(rows)) == len(rows), rows
    return dict(rows)


def expect_all_done(installation: Installation) -> None:
    run = PipelineRun.objects.get()
    assert (run.state, run.due_at, run.last_error) == (PipelineRun.NOTIFIED, None, "")
    assert left() == WAYS
    given = StageExecution.objects.get(stage="join").output
    assert (given["team"], given["said"], sorted(given["checks"])) == (
        "sre", "restarted", ["cpu", "disk", "memory"],
    )  # fmt: skip
    assert "0.2 s" in given["late"]
    (told,) = (one.json for one in installation.world.receiver.received if one.path == "/hook")
    assert (told["kind"], told["labels"]["team"]) == ("firing", "sre")


def test_it_has_every_type_of_node() -> None:
    assert {node["type"] for node in document("")["nodes"]} == set(nodes.names())


def test_walked_while_its_caller_waits(installation: Installation) -> None:
    installation.call = [Answer(503)]
    given = {"payload": ALERT, "definition": "every", "timeout": SECONDS}
    with installation.at_work():
        told = installation.post(f"{START}sync/", given, status=200)
    assert (told["status"], told["runs"][0]["state"]) == ("finished", "NOTIFIED")
    assert {stage["stage"] for stage in told["runs"][0]["stages"]} == set(WAYS)
    expect_all_done(installation)
    tries = StageExecution.objects.filter(stage="call").order_by("pk").values_list("state", "attempt")
    assert list(tries) == [("failed", 1), ("succeeded", 2)]
    assert installation.asked == {"/owner": 1, "/page": 1, "/call": 2, "/hook": 1}


def test_walked_by_a_worker(installation: Installation) -> None:
    told = installation.post(START, {"payload": ALERT, "definition": "every"})
    assert (told["status"], PipelineRun.objects.get().state) == ("accepted", PipelineRun.PENDING)
    installation.work_until_over()
    expect_all_done(installation)
    assert installation.client.get(told["url"]).json()["state"] == "NOTIFIED"


def test_resumed_where_it_failed(installation: Installation) -> None:
    installation.call = [Answer(500), Answer(500), Answer(403)]
    told = installation.post(START, {"payload": ALERT, "definition": "every"})
    run_id = told["run_id"]
    before: list[int] = []
    for tries, said in ((2, "HTTP 500"), (3, "HTTP 403")):  # tries used up; then what no try would help
        run = installation.work_until_over()
        assert (run.state, said in run.last_error) == (PipelineRun.FAILED, True)
        assert left().keys() == WAYS.keys() - {"call", "join", "tell"}
        assert installation.asked == {"/owner": 1, "/page": 1, "/call": tries}
        rows = list(StageExecution.objects.order_by("pk").values_list("pk", flat=True))
        assert rows[: len(before)] == before
        before = rows
        assert installation.post(f"{START}{run_id}/resume/")["state"] == "RETRYING"
    installation.work_until_over()
    expect_all_done(installation)
    assert installation.asked == {"/owner": 1, "/page": 1, "/call": 4, "/hook": 1}
    new = StageExecution.objects.exclude(pk__in=before).order_by("pk").values_list("stage", "state")
    assert list(new) == [("call", "succeeded"), ("join", "succeeded"), ("tell", "succeeded")]
    assert installation.machine.take() == [], "nothing is ordered twice"
