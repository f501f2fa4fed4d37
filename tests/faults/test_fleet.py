"""Twenty agents on machines of their own and a real hub: the hub killed, cables pulled, answers lost.

Each agent has one check, whose script writes down what it found; what the hub has journalled must be that,
nothing lost, nothing doubled, in order.
"""

import random
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import groupby, pairwise
from pathlib import Path

import msgspec
import psutil
import pytest

from tests.agent.processes import Agent
from tests.faults.machines import Machine, network
from tests.processes import Tocsin

pytestmark = pytest.mark.faults

AGENTS = 20
SEVERITIES = {1: "warning", 2: "critical"}
STATUSES = ("ok", "warning", "critical")
Change = tuple[str, str]


class Watched:
    """A machine, its agent, and what the check there found."""

    def __init__(self, machine: Machine, hub: str, folder: Path, **environment: str) -> None:
        folder.mkdir()
        self.machine, self.name = machine, machine.name
        self._state, self._found = folder / "state", folder / "found"
        self.turn(0)
        script = folder / "script"
        script.write_text(
            f"#!/bin/sh\nread state < {self._state}\necho $state >> {self._found}\nexit $state\n"
        )
        script.chmod(0o755)
        config = (
            f'interval = 1\ndefaults = false\n[checks.script]\nchecker = "command"\nargv = ["{script}"]\n'
        )
        self.agent = Agent(hub, folder, config, INSTANCE_ID=self.name, **environment)
        self.agent.within = machine.inside

    def turn(self, state: int) -> None:
        """What the script finds from now on."""
        new = self._state.with_suffix(".new")
        new.write_text(f"{state}\n")
        new.replace(self._state)

    @property
    def found(self) -> list[int]:
        """What it found, each time."""
        return [int(line) for line in self._found.read_text().split()] if self._found.exists() else []

    @property
    def states(self) -> list[int]:
        """What it found, as long as it stayed the same once."""
        return [state for state, _ in groupby(self.found)]

    @property
    def changes(self) -> list[Change]:
        """The journal that this makes."""
        return list(_changes(self.states))


def _changes(states: list[int]) -> Iterator[Change]:
    kind = "fired"
    for before, state in pairwise([0, *states]):
        if state and not before:
            yield kind, SEVERITIES[state]
            kind = "refired"
        elif state != before:
            yield ("severity", SEVERITIES[state]) if state else ("resolved", SEVERITIES[before])


def _kill(tocsin: Tocsin) -> None:
    """The whole hub at one instant."""
    assert tocsin.process is not None
    whole = [*psutil.Process(tocsin.process.pid).children(recursive=True), tocsin.process]
    for process in whole:
        process.kill()
    psutil.wait_procs(whole, 10)
    tocsin.output.clear()


def _journal(tocsin: Tocsin, name: str) -> list[Change]:
    return tocsin.query(
        "SELECT h.kind, h.severity FROM alerts_alerthistory h JOIN alerts_alert a ON a.id = h.alert_id"
        f" WHERE json_extract(a.labels, '$.instance_id') = '{name}' AND h.fingerprint <> ''"
        " AND h.source = 'cluster' AND h.decision <> 'ignored' ORDER BY h.id"
    )


def _runs(tocsin: Tocsin, name: str) -> list[str]:
    sql = f"SELECT status FROM checkers_checkrun WHERE instance = '{name}' ORDER BY id"
    return [status for (status,) in tocsin.query(sql)]


def _troubles(tocsin: Tocsin, all_of_them: list[Watched]) -> Iterator[str]:
    """One after another; between them, all is well for a moment."""
    first, second = all_of_them[::2], all_of_them[1::2]
    yield "nothing"
    for one in first:
        one.machine.unplug()
    yield "the cables of half of them pulled"
    for one in first:
        one.machine.plug_in()
    yield "nothing"
    for one in second:
        one.machine.lose_answers()
    yield "the answers to the other half lost"
    for one in second:
        one.machine.hear_answers()
    _kill(tocsin)
    yield "the hub killed"
    for one in second:
        one.machine.unplug()
    tocsin.start()
    yield "the hub back, half of the cables pulled"
    _kill(tocsin)
    for one in second:
        one.machine.plug_in()
    for one in first:
        one.machine.lose_answers()
    tocsin.start()
    yield "killed at once again, and the answers to the first half lost"
    for one in first:
        one.machine.hear_answers()


def test_a_dead_hub_and_cut_cables_cost_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chance = random.Random(20261121)
    environment = {"CLUSTER_ENABLED": "1", "WEBHOOK_SECRET_CLUSTER": "between us"}
    with ExitStack() as opened:
        net = opened.enter_context(network(AGENTS))
        tocsin = Tocsin(TOCSIN_HOST=net.address, **environment)
        tocsin.url = f"http://{net.address}:{tocsin.port}"
        tocsin.run("migrate")
        tocsin.run("api_key", "create", "people")  # without one it listens to this machine only
        opened.enter_context(tocsin)
        machines = [
            Watched(machine, tocsin.url, tmp_path / machine.name, **environment) for machine in net.machines
        ]
        for one in machines:
            opened.enter_context(one.agent).start()
        tocsin.wait(lambda: all(one.found for one in machines), "every agent to check", 60)
        for _ in _troubles(tocsin, machines):
            until = time.monotonic() + 5
            while time.monotonic() < until:
                chance.choice(machines).turn(chance.randrange(3))
                time.sleep(0.1)
        for one in machines:
            one.turn(0)
        tocsin.wait(lambda: all(one.states[-1:] == [0] for one in machines), "all to be well", 60)
        well = datetime.now(UTC)
        tocsin.wait(lambda: all(_arrived(tocsin, one, well) for one in machines), "all to arrive", 300)
        expected = [change for one in machines for change in one.changes]
        journal = [change for one in machines for change in _journal(tocsin, one.name)]
        with capsys.disabled():
            sys.stdout.write(
                f"\nledger: {AGENTS} agents, {sum(len(one.found) for one in machines)} checks, "
                f"{len(expected)} changes, journalled {len(journal)}\n"
            )
        for one in machines:
            assert _journal(tocsin, one.name) == one.changes, one.agent.said
            assert _runs(tocsin, one.name) == [STATUSES[state] for state in one.states]
        told = tocsin.query("SELECT instance_id, dropped FROM fleet_instance WHERE dropped <> '{}'")
        assert not told
        assert len(expected) > AGENTS


def _arrived(tocsin: Tocsin, one: Watched, well: datetime) -> bool:
    """Whether the hub has all of its rounds up to that moment: the one that waits longest goes first."""
    told = tocsin.query(f"SELECT checks, waiting FROM fleet_instance WHERE instance_id = '{one.name}'")
    checks, waiting = told[0]
    newest = datetime.fromisoformat(msgspec.json.decode(checks)["script"]["at"])
    return bool(newest >= well and not waiting)
