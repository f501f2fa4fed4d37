from collections.abc import Iterator

import pytest

from tests.chat.workspace import SECRET, Workspace
from tests.fakes import slack as fake
from tests.world import World


@pytest.fixture
def workspace(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    """A workspace that may post here, with a channel that our bot posts to."""
    monkeypatch.setenv("SLACK_SIGNING_SECRET", SECRET)
    with fake.slack() as slack:
        monkeypatch.setenv("SLACK_API_URL", slack.api)
        world.channel("slack", "slack", **slack.config, buttons=True)
        yield Workspace(world, slack)
