"""What an instance is told by its environment, and what it refuses."""

from pathlib import Path

import pytest

from tocsin.core.errors import Misconfigured
from tocsin.threader import settings
from tocsin.threader.redis_store import RedisStore

BOT = {"SLACK_BOT_TOKEN": "xoxb-1-abc", "SLACK_CHANNEL": "C0000000001"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_DATA_DIR", str(tmp_path))


def told(monkeypatch: pytest.MonkeyPatch, **given: str) -> settings.Settings:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    return settings.read()


def test_what_is_not_told_is_safe(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = told(monkeypatch, **BOT)
    assert (found.host, found.port, found.redis, found.folder) == ("127.0.0.1", 9009, "", tmp_path)
    assert "xoxb" not in repr(found)


def test_instances_of_one_channel_share_their_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    one = told(monkeypatch, **BOT)
    other_token = told(monkeypatch, SLACK_BOT_TOKEN="xoxb-2-def")
    other_channel = told(monkeypatch, SLACK_CHANNEL="C0000000002")
    assert one.place == other_token.place != other_channel.place
    assert "C000" not in one.place


def test_only_slacks_endpoint_may_be_reached_besides_public_addresses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    allowed = told(monkeypatch, **BOT, SLACK_API_URL="http://10.0.0.2:5000/api/").allowed
    assert allowed.permits("10.0.0.2", "10.0.0.2")
    assert not allowed.permits("10.0.0.1", "10.0.0.1")
    assert not told(monkeypatch, SLACK_API_URL="").allowed.permits("10.0.0.1", "10.0.0.1")


def test_where_there_is_a_bot_the_incoming_webhook_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    found = told(monkeypatch, **BOT, SLACK_WEBHOOK_URL="https://hooks.slack.com/services/T/B/x")
    assert not found.slack.webhook_url.get_secret_value()


@pytest.mark.parametrize(("given", "names"), [
    ({"THREADER_IMPL": "rust"}, "THREADER_IMPL='rust'"),
    ({"THREADER_HOST": "0.0.0.0"}, "THREADER_SECRET"),
    ({"THREADER_PORT": "9k"}, "THREADER_PORT"),
    ({"SLACK_CHANNEL": ""}, "SLACK_CHANNEL"),
    ({"SLACK_BOT_TOKEN": ""}, "SLACK_BOT_TOKEN"),
    ({"SLACK_API_URL": "slack"}, "SLACK_API_URL"),
])  # fmt: skip
def test_what_cannot_be_used_is_named(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], names: str
) -> None:
    with pytest.raises(Misconfigured, match=names) as refused:
        told(monkeypatch, **BOT | given)
    assert "xoxb" not in str(refused.value)


def test_an_address_of_redis_that_is_none_is_told_without_its_password() -> None:
    with pytest.raises(Misconfigured, match="REDIS_URL") as refused:
        RedisStore("http://:s3cret@redis", "place")
    assert "s3cret" not in str(refused.value)
