"""A Slack stand-in, one instance with a file of its own, and groups of a test's own."""

from collections.abc import Iterator

import pytest

from tests.fakes import slack as fake
from tests.fakes.slack import Slack
from tests.threader.instances import Instance, Webhooks, by_bot, webhook


@pytest.fixture(scope="module")
def same_slack() -> Iterator[Slack]:
    with fake.slack() as here:
        yield here


@pytest.fixture
def slack(same_slack: Slack) -> Slack:
    for kept in (same_slack.heads, same_slack.replies, same_slack.messages, same_slack.calls):
        kept.clear()
    same_slack.requests.clear()
    same_slack.answers.clear()
    return same_slack


@pytest.fixture(scope="module")
def same_threader(same_slack: Slack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    with Instance(tmp_path_factory.mktemp("threader"), by_bot(same_slack)) as started:
        yield started


@pytest.fixture
def threader(same_threader: Instance, slack: Slack) -> Iterator[Instance]:
    """One that has nothing to do, before and after."""
    yield same_threader
    slack.answers.clear()


@pytest.fixture
def group(request: pytest.FixtureRequest) -> Webhooks:
    """Webhooks of a group that no other test has."""

    def told(*alerts: dict[str, object], group: str = "HighCPU", **more: object) -> dict[str, object]:
        return webhook(*alerts, group=group, groupKey=f"{request.node.name}:{group}", **more)

    return told
