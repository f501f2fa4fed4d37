"""A run, a person's yes, and a real agent that runs a command: to its end, and killed midway."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from tests.agent.processes import Agent
from tests.processes import Tocsin

pytestmark = pytest.mark.faults

NAME = "web-1"
CONFIG = """
interval = 1
defaults = false

[commands.touch]
argv = ["sh", "-c", "echo $1 >> {folder}/touched; sleep $2; echo touched $1", "x", "{{word}}", "{{seconds}}"]
description = "Touch a file"

[commands.touch.arguments]
word = "[a-z]+"
seconds = "[0-9]{{1,2}}"
"""
DEFINITION = {
    "name": "runbook",
    "priority": 1,
    "definition": {
        "version": "1.0",
        "nodes": [
            {"id": "ask", "type": "approval", "config": {"question": "Touch it?"}, "next": "do"},
            {
                "id": "do",
                "type": "run_command",
                "config": {
                    "instance": NAME,
                    "command": "touch",
                    "arguments": {
                        "word": "{{ alerts[0].labels.word }}",
                        "seconds": "{{ alerts[0].labels.seconds }}",
                    },
                },
                "next": "good",
                "otherwise": "bad",
            },
            {"id": "good", "type": "ingest"},
            {"id": "bad", "type": "ingest"},
        ],
    },
}


class Runbook:
    """A hub and one machine's agent, which allows one command."""

    def __init__(self, tocsin: Tocsin, agent: Agent) -> None:
        self.tocsin, self.agent = tocsin, agent
        self._touched = agent.folder / "touched"
        token = msgspec.json.decode(tocsin.run("enroll_token", "--json"))["token"]
        asked = ("enroll", "--hub", tocsin.url, "--token", token, "--instance-id", NAME)
        assert agent.run(*asked).returncode == 0
        written = agent.folder / "runbook.json"
        written.write_bytes(msgspec.json.encode(DEFINITION))
        tocsin.run("definition", "apply", str(written))
        agent.start()
        tocsin.wait(lambda: "touch" in self._allows(), "what it allows", 30)

    def _allows(self) -> str:
        told = self.tocsin.query(f"SELECT allows FROM fleet_instance WHERE instance_id = '{NAME}'")
        return str(told[0][0]) if told else ""

    @property
    def touched(self) -> list[str]:
        return self._touched.read_text().split() if self._touched.exists() else []

    def commands(self, run: str) -> list[tuple[Any, ...]]:
        """What became of those that a run asked for."""
        sql = f"SELECT state, exit_code, output FROM fleet_command WHERE run_id = '{run}'"
        return self.tocsin.query(sql)

    def begin(self, word: str, seconds: int) -> str:
        """Let an alert begin a run, and say yes to it; the run's id."""
        labels = {"instance": NAME, "word": word, "seconds": str(seconds)}
        alert = {"name": f"Full-{word}", "labels": labels, "status": "firing"}
        assert self.tocsin.post(alert, "/alerts/webhook/generic/") == 202
        find = "SELECT run_id FROM orchestration_pipelinerun WHERE state = 'WAITING'"
        self.tocsin.wait(lambda: self.tocsin.query(find), "the question")
        run: str = self.tocsin.query(find)[0][0]
        assert word not in self.touched and not self.commands(run), "somebody must say yes first"
        self.tocsin.run("approve", run, "ask", "--yes")
        return run

    def left(self, run: str) -> list[str]:
        """The nodes that it came through."""
        sql = f"SELECT stage FROM orchestration_stageexecution WHERE run_id = '{run}' AND \"exit\" <> ''"
        return [stage for (stage,) in self.tocsin.query(f"{sql} ORDER BY id")]


@pytest.fixture(scope="module")
def runbook(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runbook]:
    """For all tests here, as it takes longer to start than they do."""
    folder = tmp_path_factory.mktemp("runbook")
    config = CONFIG.format(folder=folder)
    with Tocsin(CLUSTER_ENABLED="1") as tocsin, Agent(tocsin.url, folder, config) as agent:
        yield Runbook(tocsin, agent)


def test_after_a_yes_the_command_is_run_and_the_run_goes_on(runbook: Runbook) -> None:
    run = runbook.begin("disk", 0)
    runbook.tocsin.wait(lambda: "good" in runbook.left(run), "the end of the run", 30)
    assert runbook.left(run) == ["ask", "do", "good"]
    assert runbook.touched.count("disk") == 1
    assert runbook.commands(run) == [("done", 0, "touched disk\n")]
    assert "touch on web-1: exit code 0" in runbook.tocsin.run("trace", run)


def test_an_agent_killed_midway_and_a_hub_killed_meanwhile_run_it_once(runbook: Runbook) -> None:
    run = runbook.begin("memory", 60)
    runbook.tocsin.wait(lambda: "memory" in runbook.touched, "its begin", 30)
    runbook.agent.kill()
    runbook.tocsin.kill("worker")
    runbook.tocsin.kill("web")
    runbook.agent.start()
    runbook.tocsin.wait(lambda: "bad" in runbook.left(run), "the end of the run", 60)
    assert runbook.left(run) == ["ask", "do", "bad"]
    assert runbook.touched.count("memory") == 1
    assert [state for state, _, _ in runbook.commands(run)] == ["interrupted"]
