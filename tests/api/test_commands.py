"""Where agents ask for commands, and who else may not."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from tocsin.api.commands import Pace
from tocsin.core import clock
from tocsin.core.ids import new_id
from tocsin.fleet import commands, enrolment, instances
from tocsin.fleet.models import Command, Instance

PATH = "/api/fleet/commands/"
OFFER = {"name": "restart", "description": "Restart it", "arguments": {"unit": "nginx"}}
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLUSTER_ENABLED", "1")


class Agent:
    """One with a key, that asks over HTTP."""

    def __init__(self, client: Client, name: str) -> None:
        self.client, self.name, self.id = client, name, new_id()
        token = enrolment.offer(now=clock.now())
        self.key = enrolment.enrol(token=token, instance_id=name, hostname="", version="", now=clock.now())

    @property
    def row(self) -> Instance:
        return instances.named(self.name)

    def post(self, document: Any, **headers: str) -> Any:
        given = {"Authorization": f"Bearer {self.key}", **headers}
        return self.client.post(PATH, document, "application/json", headers=given)

    def ask(self, *results: dict[str, Any]) -> list[dict[str, Any]]:
        answer = self.post({"agent": self.id, "allowed": [OFFER], "results": list(results)})
        assert answer.status_code == 200, answer.content
        found: list[dict[str, Any]] = answer.json()["commands"]
        return found

    def order(self, seconds: float = 60, **fields: Any) -> Command:
        given = {
            "run_id": new_id(), "node": "do", "trace_id": "trace", "name": "restart",
            "arguments": {"unit": "nginx"}, "instance": self.row,
        }  # fmt: skip
        until = clock.now() + timedelta(seconds=seconds)
        commands.ask([commands.Order(**given | fields, expires_at=until)], clock.now())
        return Command.objects.latest("pk")


@pytest.fixture
def agent(client: Client) -> Iterator[Agent]:
    yield Agent(client, "web-1")


def result(command: Command, **fields: Any) -> dict[str, Any]:
    return {"id": command.pk, "state": "done", "exit_code": 0, "output": "ok", **fields}


def test_one_command_at_a_time_and_what_became_of_it(agent: Agent) -> None:
    assert agent.ask() == []
    first, second = agent.order(), agent.order()
    [given] = agent.ask()
    assert given == {"id": first.pk, "name": "restart", "arguments": {"unit": "nginx"},
                     "seconds": given["seconds"], "trace_id": "trace"}  # fmt: skip
    assert 0 < given["seconds"] <= 60
    assert agent.ask()[0]["id"] == first.pk, "until its end is told"
    assert agent.ask(result(first, took_seconds=2.5))[0]["id"] == second.pk
    first.refresh_from_db()
    assert (first.state, first.exit_code, first.output, first.took_seconds) == ("done", 0, "ok", 2.5)
    assert first.taken_at is not None and first.finished_at is not None


def test_what_it_allows_is_kept(agent: Agent) -> None:
    agent.ask()
    assert agent.row.allows == {"restart": {"description": "Restart it", "arguments": {"unit": "nginx"}}}
    before = agent.row.listened_at
    assert before is not None
    agent.ask()
    assert agent.row.listened_at == before, "not written each time"
    agent.post({"agent": agent.id, "allowed": []})
    assert agent.row.allows == {}


def test_a_repeated_report_changes_nothing(agent: Agent) -> None:
    command = agent.order()
    agent.ask()
    agent.ask(result(command))
    agent.ask(result(command), result(command, state="failed", output="other"))
    command.refresh_from_db()
    assert (command.state, command.output) == ("done", "ok")


def test_of_another_instances_command_it_cannot_tell(agent: Agent, client: Client) -> None:
    other, command = Agent(client, "web-2"), agent.order()
    agent.ask()
    assert other.ask(result(command)) == []
    command.refresh_from_db()
    assert command.state == Command.TAKEN


def test_what_is_too_late_is_not_given(agent: Agent) -> None:
    agent.order(seconds=-1)
    assert agent.ask() == []


def test_many_agents_ask_less_often(agent: Agent) -> None:
    assert agent.post({"agent": agent.id, "allowed": []}).json()["again_in"] == 5.0
    now, long_ago = clock.now(), clock.now() - timedelta(hours=1)
    told = {"first_seen_at": now, "last_seen_at": now}
    Instance.objects.bulk_create(
        Instance(instance_id=f"i{n}", listened_at=now if n < 999 else long_ago, **told) for n in range(1_500)
    )
    assert Pace().seconds(now) == 1_000 / 50


def test_what_nobody_knows_is_acknowledged(agent: Agent) -> None:
    """Else an agent would tell of it for ever."""
    for id in (new_id(), "x", "a\0b"):
        assert agent.ask({"id": id, "state": "done"}) == []


def test_hostile_results_are_kept_within_bounds(agent: Agent) -> None:
    command = agent.order()
    agent.ask()
    agent.ask(result(command, output="a\0<script>" + "x" * 200_000, reason="\0" * 9_000, took_seconds=-1e300))
    command.refresh_from_db()
    assert len(command.output) == commands.LONGEST_OUTPUT and "\0" not in command.output
    assert len(command.reason) == commands.LONGEST_REASON and command.took_seconds == 0


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"agent": "../x", "allowed": []},
        {"agent": "a", "allowed": [{"name": "a b"}]},
        {"agent": "a", "allowed": [{"name": "a"}] * 101},
        {"agent": "a", "allowed": [], "results": [{"id": "a", "state": "asked"}]},
        {"agent": "a", "allowed": [], "results": [{"id": "a", "state": "done", "exit_code": 2**40}]},
    ],
)
def test_what_cannot_be_read_is_refused(document: dict[str, Any], agent: Agent) -> None:
    answer = agent.post(document)
    assert (answer.status_code, answer.json()["code"]) == (400, "payload")


def test_a_key_of_its_own_is_the_only_way(agent: Agent, client: Client) -> None:
    asked = {"agent": agent.id, "allowed": []}
    for header, status in (("", 401), ("Bearer x", 403), (f"Bearer {agent.key}x", 403)):
        answer = agent.post(asked, Authorization=header)
        assert (answer.status_code, answer.json()["code"]) == (status, "access")
    assert client.get(PATH).status_code == 405
    enrolment.revoke(instance_id=agent.name, now=clock.now())
    assert agent.post(asked).status_code == 403


def test_elsewhere_than_on_a_hub_there_is_no_such_thing(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLUSTER_ENABLED", "0")
    agent.order()
    assert agent.post({"agent": agent.id, "allowed": []}).status_code == 404
    assert Command.objects.get().state == Command.ASKED
