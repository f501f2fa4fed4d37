"""A hub stand-in, and agents as processes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agent.processes import Agent
from tests.fakes.hub import Hub
from tests.fakes.hub import hub as local_hub


@pytest.fixture
def hub() -> Iterator[Hub]:
    with local_hub() as found:
        yield found
    assert not found.complaints


@pytest.fixture
def agent(hub: Hub, tmp_path: Path) -> Iterator[Agent]:
    with Agent(hub.url, tmp_path) as made:
        yield made
