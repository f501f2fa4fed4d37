"""An agent and a real hub: what one sends is what the other takes."""

from pathlib import Path

import msgspec
import pytest

from tests.agent.processes import Agent
from tests.processes import Tocsin

pytestmark = pytest.mark.real


def test_an_agent_enrols_and_what_it_finds_is_an_alert_until_it_is_over(tmp_path: Path) -> None:
    plugin = tmp_path / "plugin"
    config = f'defaults = false\n[checks.plugin]\nchecker = "command"\nargv = ["{plugin}"]\n'
    with Tocsin(CLUSTER_ENABLED="1") as tocsin, Agent(tocsin.url, tmp_path, config) as agent:

        def push(code: int) -> None:
            plugin.write_text(f"#!/bin/sh\necho so it is\nexit {code}\n")
            plugin.chmod(0o755)
            done = agent.run("push_to_hub", HUB_URL="")
            assert done.returncode == 0, done.stdout + done.stderr

        token = msgspec.json.decode(tocsin.run("enroll_token", "--json"))["token"]
        done = agent.run("enroll", "--hub", tocsin.url, "--token", token, "--instance-id", "web-3")
        assert done.returncode == 0, done.stderr
        again = agent.run("enroll", "--hub", tocsin.url, "--token", token, "--instance-id", "web-4")
        assert again.returncode == 1 and "used up" in again.stderr
        for code in (0, 0, 2, 2, 2, 0, 0):
            push(code)
        rounds = tocsin.query("SELECT status FROM checkers_checkrun WHERE instance = 'web-3' ORDER BY id")
        assert [status for (status,) in rounds] == ["ok", "critical", "ok"]
        alerts = tocsin.query("SELECT name, fingerprint, status FROM alerts_alert")
        assert len(alerts) == 1 and alerts[0][1].startswith("plugin-") and alerts[0][2] == "resolved"
        waiting = tocsin.query("SELECT instance_id, waiting, status FROM fleet_instance")
        assert waiting == [("web-3", 0, "ok")]
