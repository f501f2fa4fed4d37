"""What is shipped beside the threader: its scripts under bats and shellcheck, its playbooks as Ansible reads
them, and that its files agree."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.installed import require
from tocsin.core.config import VARIABLES

ROOT = Path(__file__).parents[2]
ANSIBLE = ROOT / "deploy/ansible"
UNIT = ROOT / "deploy/systemd/alert-threader@.service"
SCRIPTS = sorted((ROOT / "scripts").glob("*.sh"))


def _run(*command: str, cwd: Path = ROOT) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def _yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


@pytest.mark.real
def test_scripts_do_what_they_say() -> None:
    require("bats"), require("curl")
    _run("bats", str(ROOT / "tests/deploy/scripts"))


@pytest.mark.real
def test_scripts_are_clean() -> None:
    require("shellcheck")
    _run("shellcheck", *map(str, SCRIPTS))


@pytest.mark.real
def test_playbooks_are_clean() -> None:
    require("ansible-playbook")
    _run("ansible-playbook", "--syntax-check", *map(str, (ANSIBLE / "playbooks").glob("*.yaml")), cwd=ANSIBLE)


def test_the_inventory_lists_what_the_unit_needs() -> None:
    told = _yaml(ANSIBLE / "inventory/hosts.yaml")["threader"]["vars"]
    assert told["threader_instances"]
    for instance in told["threader_instances"]:
        assert set(instance) == {"name", "impl", "port", "env_file"}
    ports = [instance["port"] for instance in told["threader_instances"]]
    assert len(set(ports)) == len(ports)


def test_the_sample_has_settings_that_there_are() -> None:
    sample = (ROOT / "deploy/threader/instance.env.sample").read_text()
    named = set(re.findall(r"^([A-Z_]+)=", sample, re.M))
    declared = {variable.name: variable.default for variable in VARIABLES}
    assert {"THREADER_PORT", "THREADER_IMPL", "SLACK_WEBHOOK_URL", "SLACK_BOT_TOKEN", "REDIS_URL"} <= named
    assert named <= set(declared)


def test_all_speak_of_the_same_places() -> None:
    unit = UNIT.read_text()
    assert "EnvironmentFile=/etc/alert-threader.d/%i.env" in unit
    [link] = re.findall(r"^ExecStart=(\S+)/%i/bin/tocsin threader$", unit, re.M)
    [play] = _yaml(ANSIBLE / "playbooks/deploy_template_instances.yaml")
    assert (play["vars"]["threader_links"], play["vars"]["threader_etc"]) == (link, "/etc/alert-threader.d")
    script = (ROOT / "scripts/deploy_template_instances.sh").read_text()
    assert f"THREADER_INSTANCES:-{link}}}" in script
    assert all("THREADER_ETC:-/etc/alert-threader.d}" in path.read_text() for path in SCRIPTS[:2])
