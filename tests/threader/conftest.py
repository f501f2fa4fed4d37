"""A Slack stand-in, and one instance that keeps a file of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes import slack as fake
from tests.fakes.slack import Slack
from tests.threader.instances import Instance, by_bot


@pytest.fixture
def slack() -> Iterator[Slack]:
    with fake.slack() as here:
        yield here


@pytest.fixture
def threader(slack: Slack, tmp_path: Path) -> Iterator[Instance]:
    with Instance(tmp_path / "one", by_bot(slack)) as started:
        yield started
