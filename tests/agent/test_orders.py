"""Commands from the hub: run once, one after another, and told until the hub has heard."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.agent.processes import Agent
from tests.fakes.hub import Hub
from tests.fakes.hub import hub as local_hub
from tocsin.agent import hub as hubs
from tocsin.agent.allowed import Allowed
from tocsin.agent.executing import Ended
from tocsin.agent.hub import Refused
from tocsin.agent.ledger import KEPT, Ledger
from tocsin.agent.orders import Orders
from tocsin.core.errors import Unavailable
from tocsin.core.ids import new_id

Make = Callable[..., Orders]
KEY, NAME = "key-of-web-1", "web-1"


@pytest.fixture
def hub() -> Iterator[Hub]:
    with local_hub(keys={KEY: NAME}) as found:
        yield found


@pytest.fixture
def make(hub: Hub, tmp_path: Path) -> Iterator[Make]:
    """An agent's orders, as they are after each start; ``touch`` adds a line to a file."""
    touched = tmp_path / "touched"
    script = f'echo "$1" >> {touched}; echo "touched $1"'
    commands = {
        "touch": Allowed("touch", ("sh", "-c", script, "x", "{word}"), 20, {"word": "[a-z]+"}, "Touch it"),
        "fails": Allowed("fails", ("/bin/sh", "-c", "exit 3"), 20, {}, ""),
    }  # fmt: skip

    opened: list[hubs.Hub] = []

    def made(key: str = KEY) -> Orders:
        ledger = Ledger(tmp_path / "commands", hub.url, print)
        opened.append(hubs.Hub(hub.url, key=key))
        return Orders(opened[-1], commands, ledger, print, print)

    yield made
    for one in opened:
        one.close()


def order(name: str = "touch", seconds: float = 60.0, **arguments: str) -> dict[str, Any]:
    return {"id": new_id(), "name": name, "arguments": arguments, "seconds": seconds, "trace_id": "t"}


def touched(tmp_path: Path) -> list[str]:
    path = tmp_path / "touched"
    return path.read_text().split() if path.exists() else []


def told(hub: Hub) -> list[tuple[str, str, int | None]]:
    return [(result["id"], result["state"], result["exit_code"]) for result in hub.ended]


def test_what_is_asked_for_is_run_and_its_end_told(hub: Hub, make: Make, tmp_path: Path) -> None:
    hub.orders = [order(word="a"), order("fails")]
    orders = make()
    assert orders.turn() == 0 and orders.turn() == 0
    assert orders.turn() > 0
    assert touched(tmp_path) == ["a"]
    assert told(hub) == [(hub.orders[0]["id"], "done", 0), (hub.orders[1]["id"], "done", 3)]
    assert hub.ended[0]["output"] == "touched a\n"
    offered = {offer["name"]: offer for offer in hub.asked[0]["allowed"]}
    assert offered["touch"] == {"name": "touch", "description": "Touch it", "arguments": {"word": "[a-z]+"}}


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (order("rm"), "'rm' is not allowed here"),
        (order(word="a; id"), "does not match"),
        (order(word="a\nb"), "line's end"),
        (order(), "its arguments are: word; given: none"),
        (order(word="a", more="b"), "given: 'word', 'more'"),
    ],
)
def test_anything_else_is_refused(
    asked: dict[str, Any], why: str, hub: Hub, make: Make, tmp_path: Path
) -> None:
    hub.orders = [asked]
    orders = make()
    orders.turn()
    orders.turn()
    assert told(hub) == [(asked["id"], "refused", None)] and why in hub.ended[0]["reason"]
    assert touched(tmp_path) == []


def test_what_came_too_late_is_not_run(hub: Hub, make: Make, tmp_path: Path) -> None:
    hub.orders = [order(seconds=0, word="a")]
    orders = make()
    orders.turn()
    orders.turn()
    assert told(hub) == [(hub.orders[0]["id"], "expired", None)]
    assert touched(tmp_path) == []


def test_an_end_is_told_until_the_hub_answers(hub: Hub, make: Make, tmp_path: Path) -> None:
    hub.orders = [order(word="a")]
    orders = make()
    orders.turn()
    hub.deaf = 2
    for _ in range(2):
        with pytest.raises(Unavailable):
            orders.turn()
    make().turn()  # after a restart
    assert [state for _, state, _ in told(hub)] == ["done"] * 3
    assert {result["id"] for result in hub.ended} == {hub.orders[0]["id"]}
    make().turn()
    assert len(hub.ended) == 3 and touched(tmp_path) == ["a"]


def test_a_lost_answer_brings_the_command_again(hub: Hub, make: Make, tmp_path: Path) -> None:
    hub.orders, hub.deaf = [order(word="a")], 1
    orders = make()
    with pytest.raises(Unavailable):
        orders.turn()
    orders.turn()
    orders.turn()
    assert touched(tmp_path) == ["a"] and told(hub) == [(hub.orders[0]["id"], "done", 0)]


def test_what_was_begun_is_interrupted_after_a_kill_and_never_run_again(
    hub: Hub, make: Make, tmp_path: Path
) -> None:
    hub.orders = [order(word="a")]
    Ledger(tmp_path / "commands", hub.url, print).begin(hub.orders[0]["id"], "touch")
    orders = make()
    orders.turn()
    assert told(hub) == [(hub.orders[0]["id"], "interrupted", None)]
    hub.ended.clear()  # as a hub does that was put back from a backup
    assert orders.turn() > 0
    orders.turn()
    assert told(hub) == [(hub.orders[0]["id"], "interrupted", None)]
    assert touched(tmp_path) == []


def test_nothing_is_run_that_cannot_be_put_down(hub: Hub, make: Make, tmp_path: Path) -> None:
    hub.orders = [order(word="a")]
    orders = make()
    (tmp_path / "commands").rmdir()
    orders.turn()
    orders.turn()
    assert touched(tmp_path) == []
    assert told(hub) == [(hub.orders[0]["id"], "refused", None)]
    assert "put down" in hub.ended[0]["reason"]


@pytest.mark.parametrize("id", ["../../x", "A" * 32, "a" * 31, "a" * 32 + "\n", ""])
def test_an_id_that_is_none_is_no_files_name(id: str, hub: Hub, make: Make, tmp_path: Path) -> None:
    hub.orders = [order(word="a") | {"id": id}]
    with pytest.raises(Unavailable, match="cannot be read"):
        make().turn()
    assert touched(tmp_path) == [] and not [*(tmp_path / "commands").iterdir()]


def test_a_wrong_key_is_refused_with_what_to_do(make: Make) -> None:
    with pytest.raises(Refused, match="enrol again"):
        make("another").turn()


def test_another_hub_is_told_of_nothing(tmp_path: Path) -> None:
    first = Ledger(tmp_path, "https://one.example", print)
    ended, begun = new_id(), new_id()
    first.begin(ended, "touch")
    first.end(ended, "touch", Ended("done", output="secret"))
    first.begin(begun, "touch")
    other = Ledger(tmp_path, "https://two.example", print)
    assert not other.waiting and other.knows(ended) and other.knows(begun)
    assert set(Ledger(tmp_path, "https://one.example", print).waiting) == {ended, begun}


def test_a_ledger_is_bounded_and_forgets_the_oldest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda number: None)
    ledger = Ledger(tmp_path, "hub", print)
    ids = [new_id() for _ in range(KEPT + 3)]
    for id in ids:
        ledger.end(id, "touch", Ended("done"))
        ledger.told(id)
    assert not ledger.knows(ids[2]) and ledger.knows(ids[3])
    assert sorted(path.stem for path in tmp_path.iterdir()) == sorted(ids[3:])


def test_a_file_that_cannot_be_read_counts_as_begun(tmp_path: Path) -> None:
    id, said = new_id(), list[str]()
    (tmp_path / f"{id}.json").write_text("{")
    (tmp_path / "other").write_text("")
    ledger = Ledger(tmp_path, "hub", said.append)
    assert ledger.waiting[id].state == "interrupted" and "cannot be read" in said[0]


# The whole agent.

CONFIG = """
interval = 1
defaults = false

[commands.touch]
argv = ["/bin/sh", "-c", "echo $1 >> {folder}/touched; sleep $2", "touch", "{{word}}", "{{seconds}}"]

[commands.touch.arguments]
word = "[a-z]+"
seconds = "[0-9]+"
"""


def enrolled(hub: Hub, folder: Path) -> Agent:
    made = Agent(hub.url, folder, CONFIG.format(folder=folder))
    data = folder / "data" / "agent"
    data.mkdir(parents=True)
    kept = {"hub": hub.url, "instance_id": NAME, "key": KEY}
    (data / "enrolment.json").write_bytes(msgspec.json.encode(kept))
    return made


def test_an_agent_killed_midway_tells_so_and_does_not_run_it_again(hub: Hub, tmp_path: Path) -> None:
    hub.orders = [order() | {"arguments": {"word": "a", "seconds": "60"}}]
    with enrolled(hub, tmp_path) as agent:
        agent.start("--verbose")
        hub.wait_for("its begin", lambda: touched(tmp_path))
        agent.kill()
        assert "allows touch: /bin/sh" in agent.said and "runs touch when the hub asks for it" in agent.said
        assert "command touch begins" in agent.said and not hub.ended
        agent.start()
        hub.wait_for("word of it", lambda: hub.ended)
        asked = len(hub.asked)
        hub.wait_for("it to ask on", lambda: len(hub.asked) > asked + 1)
        assert agent.stop() < 3
    assert told(hub) == [(hub.orders[0]["id"], "interrupted", None)] and touched(tmp_path) == ["a"]


def test_an_agent_told_to_end_ends_what_it_runs_and_tells_it_later(hub: Hub, tmp_path: Path) -> None:
    hub.orders = [order() | {"arguments": {"word": "a", "seconds": "60"}}]
    with enrolled(hub, tmp_path) as agent:
        agent.start()
        hub.wait_for("its begin", lambda: touched(tmp_path))
        assert agent.stop() < 3
        agent.start()
        hub.wait_for("word of it", lambda: hub.ended)
        agent.stop()
    assert told(hub) == [(hub.orders[0]["id"], "interrupted", None)]
    assert hub.ended[0]["reason"] == "the agent was stopped"


def test_without_a_key_it_says_that_it_runs_none(hub: Hub, tmp_path: Path) -> None:
    hub.keys, hub.secret = {}, ""
    with Agent(hub.url, tmp_path, CONFIG.format(folder=tmp_path)) as agent:
        agent.start()
        hub.wait_for("a sign of life", lambda: len(hub.posts) > 1)
        agent.stop()
    assert "commands are configured (touch), but none will be run" in agent.said
    assert "tocsin enroll" in agent.said and not hub.asked


def test_without_commands_the_hub_is_never_asked(hub: Hub, tmp_path: Path) -> None:
    with enrolled(hub, tmp_path) as agent:
        agent.config.write_text("interval = 1\ndefaults = false\n")
        agent.start()
        hub.wait_for("signs of life", lambda: len(hub.posts) > 1)
        agent.stop()
    assert "when the hub asks for it" not in agent.said
    assert not hub.asked and not (tmp_path / "data" / "agent" / "commands").exists()
