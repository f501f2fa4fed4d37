"""Our reading of Alertmanager's files beside the real amtool's: the same verdict, the same receivers."""

import json
import random
import re
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, Final

import pytest

from tests.installed import require
from tests.notify.routing.files import FIXTURES, RIGHT, WRONG
from tests.notify.routing.test_tree import VALUES, grown
from tocsin.notify.routing import alertmanager
from tocsin.notify.routing.tree import compile_tree, resolve

pytestmark = pytest.mark.real

AT: Final = datetime(2026, 11, 23, 12, tzinfo=UTC)
LABELS: Final = {
    "shop.yml": {
        "service": ["mysql", "postgres", "mysqld"], "severity": ["critical", "error", "info", "debug"],
        "owner": ["ann"], "team": ["web", "x"], "path": ["/api/1", "/"], "instance": ["web-1", "db-1"],
    },
    "classic.yml": {
        "service": ["foo1", "baz", "files", "database", "foo1x"], "severity": ["critical", "warning"],
        "shift": ["1", "22", "x"], "owner": ["team-x", "team-z"], "instance": ["web", "web1"],
    },
}  # fmt: skip


def amtool(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [require("amtool"), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"HOME": "/"},
    )


def accepted(files: list[Path]) -> list[bool]:
    """Its verdict on each file, in one go."""
    said = amtool("check-config", *map(str, files)).stdout
    verdicts = re.findall(r"^Checking '([^']+)'  (SUCCESS|FAILED)", said, re.M)
    assert [name for name, _ in verdicts] == [str(file) for file in files]
    return [verdict == "SUCCESS" for _, verdict in verdicts]


def test_the_same_files_are_right_and_wrong(tmp_path: Path) -> None:
    texts = [text for text, _ in WRONG] + RIGHT
    files = []
    for number, text in enumerate(texts):
        files.append(tmp_path / f"{number}.yml")
        files[-1].write_text(text)
    verdicts = accepted([*files, *sorted(FIXTURES.glob("*.yml"))])
    differ = [text for text, verdict in zip(texts[: len(WRONG)], verdicts, strict=False) if verdict]
    assert not differ, "amtool accepts what we refuse"
    assert all(verdicts[len(WRONG) :]), "amtool refuses what we accept"


def label_sets(name: str, most: int) -> list[dict[str, str]]:
    chance = random.Random(name)
    known = LABELS[name]
    return [
        {
            label: chance.choice(known[label])
            for label in chance.sample(sorted(known), chance.randint(1, len(known)))
        }
        for _ in range(most)
    ]


def compared(file: Path, asked: list[dict[str, str]]) -> set[tuple[str, ...]]:
    """Ask both of each label set; return to whom they go."""
    tree = compile_tree(alertmanager.read_file(file).routing)

    def told(labels: dict[str, str]) -> list[str]:
        pairs = [f"{label}={value}" for label, value in labels.items()]
        done = amtool("config", "routes", "test", f"--config.file={file}", *pairs)
        return done.stdout.strip().split(",")

    with ThreadPoolExecutor(2) as pool:
        theirs = list(pool.map(told, asked))
    ours = [[decision.receiver for decision in resolve(tree, labels, AT)] for labels in asked]
    assert ours == theirs
    return set(map(tuple, ours))


@pytest.mark.parametrize("name", LABELS)
def test_alerts_go_to_the_same_receivers(name: str) -> None:
    assert len(compared(FIXTURES / name, label_sets(name, 100))) > 4, "the label sets reach many routes"


@pytest.mark.parametrize("seed", range(3))
def test_in_random_trees_too(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    names = (f"r{number}" for number in count())
    below = [{**named(grown(chance, 2), names), "continue": True} for _ in range(10)]
    receivers = [{"name": "root"}, *({"name": f"r{number}"} for number in range(int(next(names)[1:])))]
    file = tmp_path / "alertmanager.yml"
    file.write_text(json.dumps({"route": {"receiver": "root", "routes": below}, "receivers": receivers}))
    values = [value for value in VALUES if value and value.isprintable()]
    asked = [
        {"other": "1", **{name: chance.choice(values) for name in chance.sample("xyz", 2)}} for _ in range(50)
    ]
    assert len(compared(file, asked)) > 4


def named(route: dict[str, Any], names: Iterator[str]) -> dict[str, Any]:
    """A route and those below it, each with a receiver of its own."""
    below = [named(one, names) for one in route.get("routes", [])]
    return {**route, "receiver": next(names), "routes": below}
