"""Instances of the threader as services: unit, scripts and playbooks in a systemd of the tests' own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest

from tests.fakes import slack as fake
from tests.fakes.slack import CHANNEL, TOKEN, Slack
from tests.installed import require
from tests.processes import free_port
from tests.real.systemd import Systemd, systemd
from tests.threader.instances import alert, headline, webhook

pytestmark = pytest.mark.real

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "scripts"
ETC, OPT = "/etc/alert-threader.d", "/opt/alert-threader"
RELEASE = """#!/bin/sh
PYTHONPATH={path} exec {python} -m tocsin "$@"
"""
# What differs here: the release reads this repository, wherever it is, and the watchdog has little patience.
HERE = """
[Service]
ProtectHome=no
WatchdogSec=3
RestartSec=0
"""


class Box:
    """The systemd, two instances in it, and their Slack."""

    def __init__(self, inside: Systemd, slack: Slack) -> None:
        self.inside, self.slack = inside, slack
        self.ports = {"one": free_port(), "two": free_port()}

    def settings(self, name: str, **more: str) -> str:
        """An env file on its way; where it is."""
        told = {
            "THREADER_PORT": str(self.ports[name]),
            "SLACK_BOT_TOKEN": TOKEN,
            "SLACK_CHANNEL": CHANNEL,
            "SLACK_API_URL": self.slack.api,
            **more,
        }
        path = f"/run/{name}.env"
        self.inside.do("tee", path, told="".join(f"{key}={value}\n" for key, value in told.items()))
        return path

    def deploy(self, release: str, *files: str, patience: int = 20) -> tuple[int, str]:
        """Run the script; its exit code and all it said."""
        command = (
            f"THREADER_PATIENCE={patience} {SCRIPTS}/deploy_template_instances.sh {release} {' '.join(files)}"
        )
        said = self.inside.do("bash", "-c", f"{command} 2>&1; echo exit=$?")
        return int(said.rpartition("exit=")[2]), said

    def manage(self, *words: str) -> str:
        return self.inside.do(f"{SCRIPTS}/manage_instances.sh", *words, check=False)

    def show(self, name: str, what: str) -> str:
        unit = f"alert-threader@{name}"
        return self.inside.do("systemctl", "show", f"--property={what}", "--value", unit).strip()

    def answer(self, name: str, path: str, body: bytes = b"") -> str:
        """What an instance answers, asked from inside."""
        post = ["--data-binary", "@-", "--header", "Content-Type: application/json"] if body else []
        url = f"http://127.0.0.1:{self.ports[name]}{path}"
        return self.inside.do(
            "curl", "--silent", "--retry", "20", "--retry-all-errors", "--retry-delay", "1", *post, url,
            told=body.decode(),
        )  # fmt: skip

    def post(self, name: str, group: str) -> None:
        told = webhook(alert("web-1", name=group), group=group)
        assert '"accepted"' in self.answer(name, "/alert", msgspec.json.encode(told))
        self.told(group)

    def told(self, group: str) -> None:
        deadline = 100
        while f"[FIRING] {group}" not in map(headline, self.slack.heads.values()):
            deadline -= 1
            assert deadline, self.manage("logs")
            self.inside.do("sleep", "0.1")


def _made(*paths: str) -> list[Path]:
    """Folders over which the box mounts its own; those that were made for that."""
    missing = [Path(path) for path in paths if not Path(path).exists()]
    for path in missing:
        path.mkdir()
    return missing


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    python = require("/usr/bin/python{}.{}".format(*sys.version_info))  # what the service's user may run
    path = f"{OPT}/older:{ROOT}:{next(each for each in sys.path if each.endswith('site-packages'))}"
    as_user = ["setpriv", "--reuid=nobody", "--clear-groups", python, "-c", "import tocsin, msgspec"]
    if subprocess.run(as_user, env={"PYTHONPATH": path}, capture_output=True, check=False).returncode:
        pytest.skip("a service's user may not read this repository")
    require("dbus-daemon"), require("curl")
    made = _made(ETC, OPT)
    try:
        with fake.slack() as slack, systemd(tmp_path_factory.mktemp("systemd"), *_ansible()) as inside:
            for own in (ETC, OPT):
                inside.do("mount", "-t", "tmpfs", "own", own)
            for release, text in (("good", RELEASE), ("better", RELEASE), ("bad", "#!/bin/sh\nexit 1\n")):
                file = f"{OPT}/{release}/bin/tocsin"
                inside.do("mkdir", "-p", os.path.dirname(file))
                inside.do("tee", file, told=text.format(path=path, python=python))
                inside.do("chmod", "755", file)
            # A system's Python may be older than ours, for which redis was installed.
            inside.do("mkdir", f"{OPT}/older")
            inside.do("tee", f"{OPT}/older/async_timeout.py", told="from asyncio import timeout as timeout\n")
            inside.do("chmod", "--recursive", "u=rwX,go=rX", OPT)
            inside.do("mkdir", "/etc/systemd/system/alert-threader@.service.d")
            inside.do("tee", "/etc/systemd/system/alert-threader@.service.d/here.conf", told=HERE)
            inside.do("systemctl", "start", "dbus.socket")
            yield Box(inside, slack)
    finally:
        for each in made:
            with suppress(OSError):
                each.rmdir()


def _ansible() -> list[Path]:
    """The folder of Ansible's own environment, where it is not the system's."""
    found = subprocess.run(["bash", "-c", "command -v ansible-playbook"], capture_output=True, text=True)
    place = Path(found.stdout.strip() or "/usr/bin/x").resolve().parents[1]
    return [] if place == Path("/usr") else [place]


@pytest.fixture
def two(box: Box) -> Box:
    """With both instances as they should be."""
    code, said = box.deploy(f"{OPT}/good", box.settings("one"), box.settings("two"))
    assert code == 0, said
    return box


def test_instances_are_installed_and_looked_after(two: Box) -> None:
    two.post("one", "DiskFull")
    listed = {line.split()[0]: line.split()[1:] for line in two.manage("list").splitlines()}
    assert listed["one"] == [str(two.ports["one"]), "active", "enabled", "ok"]
    assert two.inside.do("stat", "--format=%a %U", f"{ETC}/one.env").split() == ["640", "root"]
    two.manage("stop", "one")
    assert "DiskFull" in two.manage("logs", "one")
    assert "DiskFull" not in two.manage("logs", "two")
    listed = {line.split()[0]: line.split()[1:] for line in two.manage("list").splitlines()}
    assert (listed["one"][1], listed["one"][3]) == ("inactive", "unreachable")
    assert (listed["two"][1], listed["two"][3]) == ("active", "ok"), "the other does not mind"
    assert two.show("one", "Result") == "success"
    two.manage("start", "one")
    assert "active (running)" in two.manage("status", "one")
    two.manage("restart")
    two.post("one", "AfterRestart")


def test_killed_or_stuck_it_is_started_again(two: Box) -> None:
    restarts = int(two.show("one", "NRestarts"))
    two.inside.do("systemctl", "kill", "--signal=KILL", "alert-threader@one")
    two.post("one", "AfterKill")
    two.inside.do("systemctl", "kill", "--signal=STOP", "alert-threader@one")
    two.inside.wait("bash", "-c", f"(($(systemctl show -P NRestarts alert-threader@one) >= {restarts + 2}))")
    two.post("one", "AfterFreeze")


def test_what_is_not_well_gets_back_what_it_had(two: Box) -> None:
    one = two.settings("one", LOG_LEVEL="DEBUG")
    code, said = two.deploy(f"{OPT}/bad", one, two.settings("two", LOG_LEVEL="DEBUG"), patience=15)
    assert code == 1 and f"it runs {OPT}/good again" in said, said
    assert "LOG_LEVEL" not in two.inside.do("cat", f"{ETC}/one.env", f"{ETC}/two.env")
    code, said = two.deploy(f"{OPT}/good", two.settings("one", THREADER_IMPL="rust"), patience=15)
    assert code == 1 and "THREADER_IMPL='rust'" in said, said
    two.post("one", "AfterRollback")
    code, said = two.deploy(f"{OPT}/better", two.settings("one"))
    assert code == 0, said
    assert two.inside.do("readlink", f"{OPT}/instances/one").strip() == f"{OPT}/better"


def test_it_is_locked_in(two: Box) -> None:
    path = "/etc/systemd/system/alert-threader@.service"
    shipped = ["--threshold=25", "--offline=yes", path]
    two.inside.do("systemd-analyze", "security", *shipped)  # fails where it is exposed by more than 2.5
    assert (
        two.inside.do("bash", "-c", "stat -c %U /proc/$(systemctl show -P MainPID alert-threader@one)")
        != "root"
    )


def test_playbooks(two: Box) -> None:
    program = require("ansible-playbook")
    folder = ROOT / "deploy/ansible"
    told = {
        "threader_release": f"{OPT}/better",
        "threader_patience": 15,
        "threader_instances": [
            {"name": "one", "impl": "python", "port": two.ports["one"], "env_file": f"{ETC}/one.env"}
        ],
    }

    def play(book: str, **more: object) -> str:
        extra = msgspec.json.encode({**told, **more}).decode()
        path = f"PATH={Path(program).parent}:/usr/sbin:/usr/bin:/sbin:/bin"
        command = [
            "env", "HOME=/run", "LC_ALL=C.UTF-8", path, "ANSIBLE_NOCOLOR=1", "ANSIBLE_PIPELINING=1", program,
            "--inventory", f"{folder}/inventory/hosts.yaml", "--extra-vars", extra,
            f"{folder}/playbooks/{book}.yaml",
        ]  # fmt: skip
        return two.inside.do(*command, check=False, seconds=120)

    said = play("deploy_template_instances")
    assert "failed=0" in said, said
    assert two.inside.do("readlink", f"{OPT}/instances/one").strip() == f"{OPT}/better"
    said = play("test_threader")
    assert "failed=0" in said, said
    assert "[RESOLVED] ThreaderTest on one" in set(map(headline, two.slack.heads.values()))
    said = play("deploy_template_instances", threader_release=f"{OPT}/bad")
    assert "it has its release and settings of before again" in said, said
    assert two.inside.do("readlink", f"{OPT}/instances/one").strip() == f"{OPT}/better"
    two.post("one", "AfterPlaybook")
