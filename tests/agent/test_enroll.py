"""``tocsin enroll``: a token is traded for a key, which is kept and used from then on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agent.processes import Agent
from tests.fakes.hub import Hub
from tests.fakes.hub import hub as local_hub


@pytest.fixture
def hub() -> Iterator[Hub]:
    with local_hub(secret="of the cluster") as found:
        yield found


def test_an_enrolled_agent_needs_nothing_else(agent: Agent, hub: Hub) -> None:
    done = agent.run(
        "enroll", "--hub", hub.url, "--token", "good-token", "--instance-id", "web-3", HUB_URL=""
    )
    assert done.returncode == 0 and f"enrolled with {hub.url} as web-3" in done.stdout
    assert hub.enrolments[0]["version"] and hub.enrolments[0]["hostname"]
    kept = agent.folder / "data" / "agent" / "enrolment.json"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert agent.run("push_to_hub", HUB_URL="").returncode == 0
    assert hub.posts[-1].headers["authorization"] == "Bearer key-of-web-3"
    assert hub.posts[-1].document["instance_id"] == "web-3"
    assert "x-cluster-signature" not in hub.posts[-1].headers
    assert "key-of-web-3" not in done.stdout + done.stderr


def test_a_key_goes_to_its_own_hub_alone(agent: Agent, hub: Hub) -> None:
    agent.run("enroll", "--hub", hub.url, "--token", "good-token")
    with local_hub() as other:
        done = agent.run("push_to_hub", HUB_URL=other.url)
        assert done.returncode == 0 and "its key is not used" in done.stderr
        assert "authorization" not in other.posts[-1].headers


def test_a_revoked_key_is_told(agent: Agent, hub: Hub) -> None:
    agent.run("enroll", "--hub", hub.url, "--token", "good-token")
    hub.keys.clear()
    done = agent.run("push_to_hub")
    assert done.returncode == 1 and "enrol again: tocsin enroll --hub" in done.stdout
    assert len(agent.rounds) == 1


@pytest.mark.parametrize(("token", "known", "told"), [
    ("bad-token", "", "does not know this token (unknown token): it may be used up or too old"),
    ("good-token", "web-3", "has given web-3 a key before (it has a key already): revoke that there"),
])  # fmt: skip
def test_what_the_hub_refuses_is_told(agent: Agent, hub: Hub, token: str, known: str, told: str) -> None:
    hub.keys = {"another": known}
    done = agent.run("enroll", "--hub", hub.url, "--token", token, "--instance-id", "web-3")
    assert done.returncode == 1 and told in done.stderr
    assert not (agent.folder / "data" / "agent" / "enrolment.json").exists()


def test_no_hub_there_is_told(agent: Agent, hub: Hub) -> None:
    done = agent.run("enroll", "--hub", f"{hub.url}/elsewhere", "--token", "x")
    assert done.returncode == 1 and "there is no hub at" in done.stderr
    hub.stop()
    done = agent.run("enroll", "--hub", hub.url, "--token", "x")
    assert done.returncode == 1 and "refused" in done.stderr
    done = agent.run("enroll", "--token", "x", HUB_URL="")
    assert done.returncode == 2 and "HUB_URL is not set" in done.stderr


def test_a_broken_enrolment_is_told(agent: Agent) -> None:
    kept = Path(agent.folder / "data" / "agent" / "enrolment.json")
    kept.parent.mkdir(parents=True)
    kept.write_text("{")
    done = agent.run("push_to_hub")
    assert done.returncode == 2 and "remove it, and enrol again" in done.stderr
