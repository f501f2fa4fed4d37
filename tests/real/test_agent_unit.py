"""The agent as a service: its unit in a systemd of the tests' own, hardened as it is shipped."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.hub import Hub
from tests.fakes.hub import hub as local_hub
from tests.installed import require
from tests.real.systemd import Systemd, systemd

pytestmark = pytest.mark.real

ROOT = Path(__file__).parents[2]
UNIT = "tocsin-agent.service"
# What differs here: where the file is, whose user there is, and how often it looks.
HERE = """
[Service]
ExecStart=
ExecStart={python} {folder}/tocsin-agent.pyz agent
User=daemon
Environment=HUB_URL={hub} TOCSIN_AGENT_CONFIG={folder}/agent.toml INSTANCE_ID=box
RestartSec=0
"""


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    with local_hub() as started:
        yield started


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory, hub: Hub) -> Iterator[Systemd]:
    python = require("/usr/bin/python{}.{}".format(*sys.version_info))  # what the service's user may run
    folder = tmp_path_factory.mktemp("shared")
    folder.chmod(0o755)
    built = [
        sys.executable,
        str(ROOT / "deploy/agent/build.py"),
        "--output",
        str(folder / "tocsin-agent.pyz"),
    ]
    subprocess.run(built, check=True, capture_output=True)
    (folder / "agent.toml").write_text("interval = 1\n")
    with systemd(tmp_path_factory.mktemp("systemd"), folder) as booted:
        shipped = (ROOT / "deploy/systemd" / UNIT).read_text()
        booted.do("tee", f"/etc/systemd/system/{UNIT}", told=shipped)
        booted.do("mkdir", f"/etc/systemd/system/{UNIT}.d")
        here = HERE.format(python=python, folder=folder, hub=hub.url)
        booted.do("tee", f"/etc/systemd/system/{UNIT}.d/here.conf", told=here)
        booted.do("systemctl", "daemon-reload")
        require("dbus-daemon")  # by which users who are not root ask systemd
        booted.do("systemctl", "start", "dbus.socket")
        yield booted


@pytest.fixture(autouse=True)
def running(box: Systemd) -> None:
    box.do("systemctl", "start", UNIT)


def _restarts(box: Systemd) -> int:
    return int(box.do("systemctl", "show", "--property=NRestarts", "--value", UNIT))


def test_every_default_check_can_see_what_it_needs(box: Systemd, hub: Hub) -> None:
    before = len(hub.rounds)
    hub.wait_for("two rounds", lambda: len(hub.rounds) >= before + 2, 60)
    unknown = {
        alert["check"]: alert["annotations"] for alert in hub.applied if alert["check_status"] == "unknown"
    }
    assert not unknown
    assert {"cpu", "memory", "disk", "systemd"} <= {alert["check"] for alert in hub.applied}


def test_killed_it_goes_on(box: Systemd, hub: Hub) -> None:
    restarts, before = _restarts(box), len(hub.rounds)
    box.do("systemctl", "kill", "--signal=KILL", UNIT)
    hub.wait_for("more rounds", lambda: len(hub.rounds) >= before + 2, 60)
    assert hub.rounds == sorted(set(hub.rounds))
    assert _restarts(box) == restarts + 1


def test_stopped_it_ends_well(box: Systemd) -> None:
    box.do("systemctl", "stop", UNIT)
    told = box.do("systemctl", "show", "--property=ActiveState,Result", UNIT)
    assert set(told.split()) == {"ActiveState=inactive", "Result=success"}
