"""The real amtool runs its whole command set against Tocsin, under a path of its own."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.receiver import Receiver
from tests.installed import require
from tests.processes import Tocsin

pytestmark = pytest.mark.real


class Amtool:
    """Runs amtool against one installation."""

    def __init__(self, tocsin: Tocsin, home: Path) -> None:
        self.tocsin = tocsin
        self._home = home
        self._binary = require("amtool")

    def run(self, *arguments: str, url: str = "") -> "subprocess.CompletedProcess[str]":
        where = f"--alertmanager.url={url or self.tocsin.url + '/am'}"
        return subprocess.run(
            [self._binary, where, "--no-version-check", *arguments],
            capture_output=True, text=True, timeout=30, check=False, env={"HOME": str(self._home)},
        )  # fmt: skip

    def __call__(self, *arguments: str) -> str:
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr
        assert "error" not in done.stderr.lower(), done.stderr
        return done.stdout

    def json(self, *arguments: str) -> Any:
        return json.loads(self(*arguments, "-o", "json"))

    def silence(self, *matchers: str) -> str:
        """Add one and return its id."""
        return self("silence", "add", "--author=bo", "--comment=repair", "--duration=1h", *matchers).strip()


@pytest.fixture
def amtool(receiver: Receiver, tmp_path: Path) -> Iterator[Amtool]:
    with Tocsin() as tocsin:
        tocsin.add_webhook(receiver.url)
        yield Amtool(tocsin, tmp_path)


def test_the_whole_command_set(amtool: Amtool, receiver: Receiver, tmp_path: Path) -> None:
    _alerts(amtool, receiver)
    _silences(amtool, receiver)
    _silences_are_moved(amtool, tmp_path)
    _what_is_in_force(amtool, tmp_path)
    _errors(amtool)
    assert "Traceback" not in "".join(amtool.tocsin.output)


def _alerts(amtool: Amtool, receiver: Receiver) -> None:
    add = ("alert", "add", "--annotation=summary=It is down", "--generator-url=http://prometheus/graph")
    amtool(*add, "alertname=Down", "instance=web-1", "severity=critical")
    assert receiver.wait_for(1, 20)[0].json["title"] == "Down on web-1"
    amtool(*add, "Named", "instance=web-2")
    found = amtool.json("alert", "query")
    assert [alert["labels"]["alertname"] for alert in found] == sorted(
        (alert["labels"]["alertname"] for alert in found),
        key=lambda name: next(a["fingerprint"] for a in found if a["labels"]["alertname"] == name),
    )
    assert {alert["labels"]["alertname"] for alert in found} == {"Down", "Named"}
    [down] = amtool.json("alert", "query", "alertname=Down")
    assert down["labels"] == {"alertname": "Down", "instance": "web-1", "severity": "critical"}
    assert (down["annotations"], down["status"]["state"]) == ({"summary": "It is down"}, "active")
    assert down["receivers"] == [{"name": "sink"}]
    assert "Down" in amtool("alert", "query", "-o", "extended")
    assert amtool.json("alert", "query", "--receiver=other") == []
    assert amtool.json("alert", "query", "--silenced") == []
    long_ago = ("--start=2019-01-01T00:00:00Z", "--end=2020-01-01T00:00:00Z")
    amtool("alert", "add", "alertname=Down", "instance=web-1", "severity=critical", *long_ago)
    assert len(amtool.json("alert", "query")) == 2, "an end of long ago ends nothing"


def _silences(amtool: Amtool, receiver: Receiver) -> None:
    made = amtool.silence("alertname=Quiet", 'instance=~"web-.*"')
    assert re.fullmatch(r"[0-9a-f-]{36}", made)
    receiver.wait_for(2, 20)
    amtool("alert", "add", "alertname=Quiet", "instance=web-1")
    journal = "SELECT decision FROM alerts_alerthistory ORDER BY id DESC LIMIT 1"
    amtool.tocsin.wait(lambda: amtool.tocsin.query(journal) == [("silenced",)], "the silence to be kept")
    [found] = amtool.json("alert", "query", "--silenced")
    assert found["status"] == {"state": "suppressed", "silencedBy": [made], "inhibitedBy": []}

    [kept] = amtool.json("silence", "query", "alertname=Quiet")
    assert (kept["id"], kept["createdBy"], kept["comment"]) == (made, "bo", "repair")
    assert amtool.json("silence", "query", "--created-by=ann") == []
    updated = amtool("silence", "update", "--duration=2h", "--comment=longer", made)
    assert made in updated
    [kept] = amtool.json("silence", "query")
    assert (kept["id"], kept["comment"]) == (made, "longer")

    assert len(receiver.received) == 2
    amtool("silence", "expire", made)
    assert amtool.json("silence", "query") == []
    assert [silence["id"] for silence in amtool.json("silence", "query", "--expired")] == [made]
    told = receiver.wait_for(3, 20)[2].json
    assert (told["reason"], told["alerts"][0]["name"]) == ("unsilenced", "Quiet")


def _silences_are_moved(amtool: Amtool, folder: Path) -> None:
    before = {amtool.silence("team=a"), amtool.silence('team!~"b|c"', "job=x")}
    exported = folder / "silences.json"
    exported.write_text(amtool("silence", "query", "-o", "json"))
    amtool("silence", "expire", *amtool("silence", "query", "-q").split())
    with Tocsin() as other:
        elsewhere = Amtool(other, folder)
        elsewhere("silence", "import", str(exported))
        found = elsewhere.json("silence", "query")
        assert len(found) == 2
        assert not before & {silence["id"] for silence in found}
        shapes = sorted((m["name"], m["isEqual"], m["isRegex"]) for s in found for m in s["matchers"])
        assert shapes == [("job", True, False), ("team", False, True), ("team", True, False)]


def _what_is_in_force(amtool: Amtool, folder: Path) -> None:
    amtool.tocsin.run(
        "channel", "add", 'o"ps', "--driver", "webhook", "--set", "url=http://127.0.0.1:9/s3cr3t"
    )
    shown = amtool("config", "show")
    assert "s3cr3t" not in shown
    assert "group_by:" in shown
    assert amtool("config", "routes", "test", "alertname=x").strip() == 'sink,o"ps'
    assert 'receiver: o"ps' in amtool("config", "routes", "show")
    assert "disabled" in amtool("cluster", "show")
    written = folder / "alertmanager.yml"
    written.write_text(json.loads(_get(f"{amtool.tocsin.url}/am/api/v2/status"))["config"]["original"])
    assert "SUCCESS" in amtool("check-config", str(written))


def _get(url: str) -> bytes:
    return subprocess.run(["curl", "-fsS", url], capture_output=True, check=True, timeout=10).stdout


def _errors(amtool: Amtool) -> None:
    assert (
        "silence not found" in amtool.run("silence", "expire", "11111111-1111-1111-1111-111111111111").stderr
    )
    assert amtool.run("silence", "add", "--comment=x", "--author=x", 'a=~".*"').returncode != 0
    assert amtool.run("alert", "add", "alertname=").returncode != 0


def test_a_key_is_its_password_beyond_loopback(tmp_path: Path) -> None:
    tocsin = Tocsin(TOCSIN_HOST="0.0.0.0")
    tocsin.run("migrate")
    [key] = re.findall(r"tocsin_\S+", tocsin.run("api_key", "create", "amtool", "--scope", "write"))
    with tocsin:
        amtool = Amtool(tocsin, tmp_path)
        local = f"127.0.0.1:{tocsin.port}"
        assert amtool.run("alert", "query", url=f"http://{local}").returncode != 0
        opened = f"http://amtool:{key}@{local}/am"
        for command in (("alert", "add", "Down"), ("silence", "add", "--comment=x", "--author=x", "a=b")):
            done = amtool.run(*command, url=opened)
            assert done.returncode == 0, done.stderr
        assert "Down" in amtool.run("alert", "query", url=opened).stdout
