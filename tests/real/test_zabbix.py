"""The scripts that Zabbix ships for PagerDuty, Opsgenie and VictorOps carry a problem to its end here."""

import json
from pathlib import Path
from typing import Final

import pytest

from tests.real.shop import Shop
from tests.real.zabbix import MediaType

pytestmark = pytest.mark.real

PROBLEM: Final = {
    "EVENT.ID": "4711", "EVENT.SOURCE": "0", "EVENT.VALUE": "1", "EVENT.UPDATE.STATUS": "0",
    "EVENT.ACK.STATUS": "No", "EVENT.NSEVERITY": "5", "EVENT.SEVERITY": "Disaster",
    "EVENT.DATE": "2026.11.21", "EVENT.TIME": "03:15:10", "EVENT.OPDATA": "97.3 %",
    "EVENT.TAGS": "class:os", "EVENT.TAGSJSON": '[{"tag":"class","value":"os"}]',
    "TRIGGER.ID": "16199", "TRIGGER.DESCRIPTION": "The root file system", "HOST.NAME": "db-1",
    "HOST.IP": "192.0.2.10", "ALERT.SUBJECT": "Disk full on db-1", "ALERT.MESSAGE": "It is \"full\".\nAct.",
    "ALERT.SENDTO": "Default", "USER.FULLNAME": "Bo (bo)", "$ZABBIX.URL": "https://zabbix.example.net",
}  # fmt: skip
UPDATED: Final = PROBLEM | {"EVENT.UPDATE.STATUS": "1"}
COMMENTED: Final = UPDATED | {"EVENT.UPDATE.ACTION": "commented"}
ACKNOWLEDGED: Final = UPDATED | {"EVENT.UPDATE.ACTION": "acknowledged", "EVENT.ACK.STATUS": "Yes"}
HANDED_BACK: Final = UPDATED | {"EVENT.UPDATE.ACTION": "unacknowledged"}
RECOVERED: Final = PROBLEM | {"EVENT.VALUE": "0", "EVENT.ACK.STATUS": "Yes", "EVENT.DURATION": "7m 4s"}


def test_pagerdutys(shop: Shop, tmp_path: Path) -> None:
    media = MediaType("PagerDuty", tmp_path)
    # The address stands in the script, where an administrator would change it too.
    assert media.script.count("https://events.pagerduty.com/") == 1
    media.script = media.script.replace("https://events.pagerduty.com/", f"{shop.url}/")
    media.parameters["token"] = shop.token

    assert media.run(PROBLEM) == "OK"
    shop.incident_is("open")
    found = shop.alert()
    assert (found["name"], found["status"], found["severity"]) == ("Disk full on db-1", "firing", "critical")
    assert (found["labels"]["source"], found["labels"]["dedup_key"]) == ("shop", "4711")
    assert found["labels"]["instance"] == "db-1 : 192.0.2.10"
    assert found["annotations"]["Trigger opdata"] == "97.3 %"

    assert media.run(ACKNOWLEDGED) == "OK"
    shop.incident_is("acknowledged")
    assert media.run(RECOVERED) == "OK"
    shop.incident_is("resolved")
    assert (shop.alert()["status"], shop.history) == ("resolved", ["fired", "acknowledged", "resolved"])


def test_opsgenies(shop: Shop, tmp_path: Path) -> None:
    media = MediaType("Opsgenie", tmp_path)
    media.parameters |= {
        "opsgenie_api": f"{shop.url}/v2/alerts",
        "opsgenie_web": "https://shop.example.net",
        "opsgenie_token": shop.token,
        "opsgenie_tags": "linux, storage",
        "opsgenie_teams": "ops",
        "status_counter": "1",  # it asks again at once and without a pause: the first answer must do
    }
    tags = json.loads(media.run(PROBLEM))["tags"]
    shop.incident_is("open")
    found = shop.alert()
    assert (found["name"], found["status"], found["severity"]) == ("Disk full on db-1", "firing", "critical")
    assert (found["labels"]["alias"], found["labels"]["tags"]) == ("4711", "class:os,linux,storage")
    assert found["annotations"]["description"] == 'It is "full".\nAct.'
    assert tags["__zbx_ops_issuekey"] == found["fingerprint"], "the link in Zabbix leads to the alert"
    assert tags["__zbx_ops_issuelink"] == f"https://shop.example.net/alert/detail/{found['fingerprint']}"

    nothing = {"tags": {}}
    assert json.loads(media.run(COMMENTED)) == nothing
    for update, status in (
        (ACKNOWLEDGED, "acknowledged"),
        (HANDED_BACK, "open"),
        (ACKNOWLEDGED, "acknowledged"),
    ):
        assert json.loads(media.run(update)) == nothing
        shop.incident_is(status)
    assert json.loads(media.run(RECOVERED)) == nothing
    shop.incident_is("resolved")
    assert shop.alert()["status"] == "resolved"
    kinds = shop.history
    assert kinds.count("note") == 5, "each of them said something"
    steps = ["fired", "acknowledged", "unacknowledged", "acknowledged", "resolved"]
    assert [kind for kind in kinds if kind != "note"] == steps


def test_victorops(shop: Shop, tmp_path: Path) -> None:
    media = MediaType("VictorOps", tmp_path)
    media.parameters["vops_endpoint"] = (
        f"{shop.url}/integrations/generic/20131114/alert/{shop.token}/database"
    )
    assert media.run(PROBLEM) == "OK"
    shop.incident_is("open")
    found = shop.alert()
    assert (found["name"], found["status"], found["severity"]) == ("Disk full on db-1", "firing", "critical")
    assert (found["labels"]["entity_id"], found["labels"]["routing_key"]) == ("4711", "database")
    assert media.run(ACKNOWLEDGED) == "OK"  # to VictorOps it tells every update as an INFO of the same entity
    shop.incident_is("open")
    assert media.run(RECOVERED) == "OK"
    shop.incident_is("resolved")
    assert shop.alert()["status"] == "resolved"
