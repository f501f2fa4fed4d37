"""Other systems' own clients, unmodified but for the address: each does its cycle against Tocsin."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from tests.fakes.tls import https
from tests.installed import require
from tests.real import npm
from tests.real.shop import Shop

pytestmark = pytest.mark.real

# Each reads its address and key from the arguments, waits for a line before each next step, and
# answers with one of JSON.
_STEPS: Final = """
import json, sys
def told(value):
    print(json.dumps(value), flush=True)
    sys.stdin.readline()
url, key = sys.argv[1:]
"""
PAGERDUTY: Final = """
import pagerduty
client = pagerduty.EventsApiV2Client(key, base_url=url)
dedup_key = client.trigger("Disk full on db-1", "db-1.example.net", custom_details={"used": "97%"})
told(dedup_key)
told(client.acknowledge(dedup_key))
told(client.resolve(dedup_key))
told(client.submit("Deploy v1.2.3", "ci", timestamp="2026-11-21T04:00:00Z"))
try:
    client.resolve("")
except pagerduty.Error as error:
    told(str(error))
"""
PDPYRAS: Final = """
import pdpyras
client = pdpyras.EventsAPISession(key)
client.url = url
dedup_key = client.trigger("Disk full on db-1", "db-1.example.net")
told(dedup_key)
told(client.acknowledge(dedup_key))
told(client.resolve(dedup_key))
"""
OPSGENIE: Final = """
import opsgenie_sdk as og
conf = og.Configuration()
conf.host, conf.api_key["Authorization"], conf.api_key_prefix["Authorization"] = url, key, "GenieKey"
client = og.ApiClient(configuration=conf)
alerts, by = og.AlertApi(api_client=client), {"identifier_type": "alias"}
made = alerts.create_alert(og.CreateAlertPayload(
    message="Disk full on db-1", alias="disk/db-1", entity="db-1.example.net", priority="P1"))
told([made.result, alerts.get_request_status(made.request_id).data.is_success])
on_it = og.AcknowledgeAlertPayload(note="on it")
made = alerts.acknowledge_alert("disk/db-1", acknowledge_alert_payload=on_it, **by)
told([made.result, alerts.get_request_status(made.request_id).data.is_success])
alerts.add_note("disk/db-1", og.AddNoteToAlertPayload(note="n"), **by)
found = alerts.get_alert("disk/db-1", **by).data
told([found.message, found.status, found.acknowledged, [alert.alias for alert in alerts.list_alerts().data]])
told(alerts.close_alert("disk/db-1", close_alert_payload=og.CloseAlertPayload(note="done"), **by).result)
told(bool(og.HeartbeatApi(api_client=client).ping("nightly").request_id))
"""
PDJS: Final = """
const assert = require("node:assert");
const { event, change } = require("@pagerduty/pdjs");
const lines = require("node:readline").createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const [server, routing_key] = process.argv.slice(1);
const told = (value) => (console.log(JSON.stringify(value)), lines.next());
const done = (answer) => assert.deepEqual([answer.response.status, answer.data.status], [202, "success"]);
const sent = async (event_action, more) => {
  const answer = await event({ server, data: { routing_key, event_action, ...more } });
  done(answer);
  await told(answer.data.dedup_key);
  return answer.data.dedup_key;
};
(async () => {
  const payload = { summary: "Disk full on db-1", source: "db-1.example.net", severity: "critical" };
  const links = [{ href: "https://ci.example.net/41", text: "build 41" }];
  const dedup_key = await sent("trigger", { payload, client: "shop", links });
  await sent("acknowledge", { dedup_key });
  await sent("resolve", { dedup_key });
  const made = { summary: "Deploy v1.2.3", source: "ci", timestamp: "2026-11-21T04:00:00.000+0000" };
  const data = { routing_key, payload: { ...made, custom_details: { build: "41" } }, links };
  const changed = await change({ server: `${server}/pagerduty`, data });
  done(changed);
  await told(changed.data.message);
  const refused = await event({ server, data: { routing_key, event_action: "resolve" } });
  await told([refused.response.status, refused.data.errors]);
})();
"""


class Script:
    """A client at work, a step at a time."""

    def __init__(self, command: list[str], url: str, key: str, **environment: str) -> None:
        clean = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
        self.process = subprocess.Popen(
            [*command, url, key],
            env={**clean, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._waits = False

    def step(self) -> Any:
        """What the next step gave."""
        assert self.process.stdin and self.process.stdout and self.process.stderr
        if self._waits:
            self.process.stdin.write("\n")
            self.process.stdin.flush()
        self._waits = True
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read()
        return json.loads(line)

    def end(self) -> None:
        """Let it come to its end, which must be a good one."""
        _, complaints = self.process.communicate("\n", timeout=30)
        assert self.process.returncode == 0, complaints


def _python(text: str) -> list[str]:
    return [sys.executable, "-W", "ignore", "-c", _STEPS + text]


def _cycle(shop: Shop, script: Script) -> str:
    """Trigger, acknowledge, resolve; gives the alert's key."""
    key = str(script.step())
    shop.incident_is("open")
    found = shop.alert()
    assert (found["name"], found["status"], found["severity"]) == ("Disk full on db-1", "firing", "critical")
    labels = found["labels"]
    assert (labels["source"], labels["team"], labels["dedup_key"]) == ("shop", "db", key)
    assert script.step() == key
    shop.incident_is("acknowledged")
    assert script.step() == key
    shop.incident_is("resolved")
    assert (shop.alert()["status"], shop.history) == ("resolved", ["fired", "acknowledged", "resolved"])
    return key


def test_pagerdutys_python_client(shop: Shop, tmp_path: Path) -> None:
    with https(shop.tocsin.port, tmp_path) as there:
        script = Script(_python(PAGERDUTY), there.url, shop.token, SSL_CERT_FILE=str(there.certificate))
        assert _cycle(shop, script)
        script.step()
        assert len(shop.history) == 3, "a change event makes no alert"
        assert "dedup_key" in script.step(), "an error reaches its user in words"
        script.end()


@pytest.fixture(scope="session")
def pdjs() -> Path:
    return npm.modules("@pagerduty/pdjs", "2.2.4")


def test_pagerdutys_javascript_client(shop: Shop, pdjs: Path, tmp_path: Path) -> None:
    node = require("node", "nodejs")
    with https(shop.tocsin.port, tmp_path) as there:
        trusted = {"NODE_PATH": str(pdjs), "NODE_EXTRA_CA_CERTS": str(there.certificate)}
        script = Script([node, "-e", PDJS], there.url.removeprefix("https://"), shop.token, **trusted)
        key = _cycle(shop, script)
        assert script.step() == "Change event processed"
        found = shop.alert()
        assert (found["status"], found["episode"]) == ("resolved", 1), "a change event makes no alert"
        assert (found["labels"]["dedup_key"], found["labels"]["instance"]) == (key, "db-1.example.net")
        assert found["generator_url"] == "https://ci.example.net/41"
        assert script.step() == [400, ["'dedup_key' is missing or blank"]]
        script.end()
    assert shop.history == ["fired", "acknowledged", "resolved"]


def test_pdpyras(shop: Shop) -> None:
    script = Script(_python(PDPYRAS), shop.url, shop.token)
    assert _cycle(shop, script)
    script.end()


def test_opsgenies_python_client(shop: Shop) -> None:
    script = Script(_python(OPSGENIE), shop.url, shop.token)
    assert script.step() == ["Request will be processed", True]
    shop.incident_is("open")
    assert shop.alert()["labels"]["source"] == "shop"
    assert script.step() == ["Request will be processed", True]
    shop.incident_is("acknowledged")
    assert script.step() == ["Disk full on db-1", "open", True, ["disk/db-1"]]
    assert script.step() == "Request will be processed"
    shop.incident_is("resolved")
    assert script.step() is True
    script.end()
