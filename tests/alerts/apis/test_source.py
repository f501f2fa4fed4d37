"""A source's own address: the token in its path, read by a mapping or by the driver that fits."""

from typing import Any

import pytest

from tests.doorway import Doorway, doorway
from tocsin.alerts import sources
from tocsin.alerts.models import Alert
from tocsin.core import clock
from tocsin.core.errors import Rejected

MAPPING = {"alerts": "events", "name": "title", "labels": {"instance": "unit"}}
PAYLOAD = {"events": [{"title": "Pump stopped", "unit": "P-7"}, {"unit": "P-8"}]}


def _source(mapping: Any = None) -> str:
    token = sources.create_source(name="plant", labels={"site": "north"}, now=clock.now(), mapping=mapping)
    return f"/alerts/source/{token}/"


def test_its_mapping_reads_what_it_posts(door: Doorway) -> None:
    answer = door.post(PAYLOAD, _source(MAPPING))
    assert (answer.status, answer.json["status"], answer.json["alerts"]) == (202, "accepted", 1)
    assert [problem["index"] for problem in answer.json["errors"]] == [1]
    alert = Alert.objects.get()
    assert alert.labels == {
        "alertname": "Pump stopped", "instance": "P-7", "site": "north", "source": "plant"
    }  # fmt: skip


def test_without_a_mapping_the_driver_is_found(door: Doorway) -> None:
    assert door.post({"name": "x"}, _source()).status == 202
    assert Alert.objects.get().labels["source"] == "plant"
    refused = door.post(PAYLOAD, "/alerts/source/" + "0" * 32 + "/")
    assert (refused.status, refused.json["code"]) == (400, "payload")
    assert "no source with this token" in refused.message


def test_the_token_alone_opens_a_closed_door(transactional_db: None) -> None:
    path = _source(MAPPING)
    with doorway(open_door=False) as door:
        assert door.post(PAYLOAD, path).status == 202
        assert door.post(PAYLOAD, "/alerts/source/" + "0" * 32 + "/").status == 403


def test_one_that_was_revoked_opens_nothing(door: Doorway) -> None:
    path = _source(MAPPING)
    sources.revoke_source(name="plant")
    assert door.post(PAYLOAD, path).status == 403


def test_what_its_mapping_cannot_read_is_refused_in_words(door: Doorway) -> None:
    refused = door.post({"events": [{}]}, _source(MAPPING))
    assert (refused.status, refused.message) == (400, "name: title gives nothing here")


def test_a_mapping_is_checked_when_it_is_given(db: None) -> None:
    with pytest.raises(Rejected, match="name: Field required"):
        sources.create_source(name="x", labels={}, now=clock.now(), mapping={"alerts": "a"})
