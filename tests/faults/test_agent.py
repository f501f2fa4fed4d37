"""The hub killed for a while, the agent killed again and again: nothing lost, nothing doubled, in order."""

import random
import re
import sys
import time
from pathlib import Path

import pytest

from tests.agent.processes import Agent
from tests.fakes.hub import Hub, Said
from tests.fakes.hub import hub as local_hub
from tocsin.agent.rounds import Filed, decode

pytestmark = pytest.mark.faults

KILLS = 12


class Seen:
    """Every round that was whole on the disk at some moment, as a sender of logs would see them."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self.rounds: set[int] = set()

    def look(self) -> None:
        for path in self._agent.rounds:
            if (filed := Filed.of(path.name)) is not None:
                self.rounds.add(filed.seq)

    def watch(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.look()
            time.sleep(0.002)


def ledger(hub: Hub, seen: Seen) -> tuple[set[int], int]:
    """What was lost, and how many results were applied twice."""
    once = {(alert["seq"], alert["check"]) for alert in hub.applied}
    return seen.rounds - set(hub.rounds), len(hub.applied) - len(once)


def test_kills_of_both_lose_nothing_and_double_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chance = random.Random(20261121)
    with local_hub() as hub, Agent(hub.url, tmp_path) as agent:
        seen = Seen(agent)
        for number in range(KILLS):
            if number % 4 == 1:
                hub.stop()
            elif number % 4 == 3:
                hub.start()
            hub.said = [Said(lost=True)] if number % 3 == 0 else [Said(503, {"Retry-After": "1"})]
            agent.start()
            seen.watch(chance.uniform(1.5, 4.0))
            agent.kill()
            seen.look()
        hub.said = []
        agent.start()
        hub.wait_for("all to arrive", lambda: seen.rounds <= set(hub.rounds), 60)
        agent.stop()
        seen.look()
        agent.run("push_to_hub")
        lost, doubled = ledger(hub, seen)
        with capsys.disabled():
            sys.stdout.write(
                f"\nledger: seen on disk {len(seen.rounds)} rounds, applied {len(hub.rounds)} rounds of "
                f"{len(hub.applied)} results, sent again and known {hub.known_again}, doubled {doubled}, "
                f"lost {len(lost)}, kills {KILLS}\n"
            )
        assert not hub.complaints
        assert not lost and doubled == 0
        assert hub.rounds == sorted(hub.rounds) and len(hub.rounds) > KILLS
        assert len(hub.highest) == 1
        assert not agent.rounds


def test_a_change_keeps_its_time_over_kills(tmp_path: Path) -> None:
    plugin = tmp_path / "plugin"
    plugin.write_text("#!/bin/sh\nexit 2\n")
    plugin.chmod(0o755)
    config = f'interval = 1\ndefaults = false\n[checks.plugin]\nchecker = "command"\nargv = ["{plugin}"]\n'
    with local_hub() as hub, Agent(hub.url, tmp_path, config) as agent:
        for _ in range(4):
            before = len(hub.rounds)
            agent.start()
            hub.wait_for("two more rounds", lambda before=before: len(hub.rounds) >= before + 2)
            agent.kill()
        assert len({alert["started_at"] for alert in hub.applied}) == 1
        assert [alert["steady"] for alert in hub.applied].count(False) == 1


def test_a_killed_agent_leaves_only_whole_files(tmp_path: Path) -> None:
    chance = random.Random(7)
    config = "interval = 1\ndefaults = false\n" + "".join(
        f'[checks.m{n}]\nchecker = "memory"\ninterval = {1 + n % 2}\n' for n in range(60)
    )
    with Agent("http://127.0.0.1:1", tmp_path, config) as agent:
        for _ in range(6):
            agent.start()
            time.sleep(chance.uniform(1.0, 2.2))
            agent.kill()
        before = agent.rounds
        numbers = [decode(path.read_bytes()).seq for path in before]
        assert numbers == sorted(set(numbers)) and numbers
        agent.output.clear()
        agent.start()
        deadline = time.monotonic() + 20
        while not agent.output and time.monotonic() < deadline:
            time.sleep(0.01)
        assert f"{len(numbers)} rounds waiting" in agent.said
        assert not re.search("cannot be read|is no round", agent.said)
        agent.stop()
        assert {path.name for path in agent.rounds} >= {path.name for path in before}
