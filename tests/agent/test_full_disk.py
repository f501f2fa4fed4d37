"""A full disk under the spool, a real one: the agent goes on, says so once, and recovers."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agent.processes import Agent
from tests.agent.rounds import after, results, spool
from tests.fakes.hub import Hub
from tests.installed import lacking
from tocsin.agent.spool import MOST_IN_MEMORY


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    if os.geteuid() != 0:
        lacking("only root may mount a file system")
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k,mode=0700", "tocsin-test", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        lacking(f"no file system can be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Take all the room there is."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4_096)
        except OSError:
            return filler


def test_rounds_wait_in_memory_and_go_to_the_disk_later_in_order(small: Path) -> None:
    said: list[str] = []
    of = spool(small / "spool", say=said.append)
    numbers = [of.add(results(2), after(0))]
    filler = fill(small)
    numbers += [of.add(results(2), after(n)) for n in range(1, 11)]
    assert len(said) == 1 and "No space left on device" in said[0]
    assert of.waiting == 11 and not list(small.rglob("*.tmp"))
    filler.unlink()
    numbers.append(of.add(results(2), after(12)))
    assert len(said) == 2 and said[1] == "the spool can be written again"
    batch = spool(small / "spool", at=13).batch()
    assert batch is not None and batch.seqs == numbers


def test_what_is_in_memory_is_sent_too(small: Path) -> None:
    of = spool(small / "spool")
    fill(small)
    numbers = [of.add(results(1), after(n)) for n in range(5)]
    batch = of.batch()
    assert batch is not None and batch.seqs == numbers
    of.done(batch)
    assert of.batch() is None


def test_memory_is_bounded_and_what_it_costs_is_counted(small: Path) -> None:
    of = spool(small / "spool", say=lambda text: None)
    filler = fill(small)
    rounds = 80
    for n in range(rounds):
        of.add(results(20, 1, text="x" * 1_900), after(n))
        assert of.size <= MOST_IN_MEMORY
    left = sum(entry.filed.steady for entry in of._entries)
    assert of.dropped.steady == rounds * 20 - left > 0
    assert of.dropped.transition == 0
    filler.unlink()


def test_the_agent_goes_on_and_recovers(hub: Hub, tmp_path: Path, small: Path) -> None:
    with Agent(hub.url, tmp_path, TOCSIN_DATA_DIR=str(small)) as agent:
        agent.start()
        hub.wait_for("a round", lambda: bool(hub.rounds))
        filler = fill(small)
        hub.wait_for("it to say so", lambda: "No space left on device" in agent.said)
        before = len(hub.rounds)
        hub.wait_for("more rounds", lambda: len(hub.rounds) > before + 2)
        filler.unlink()
        hub.wait_for("it to recover", lambda: "can be written again" in agent.said)
        agent.stop()
        assert agent.said.count("No space left") == 1
        assert hub.known_again == 0
